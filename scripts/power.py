"""Print what each evaluation could find: the smallest difference that its planned tasks tell from chance."""

from parley.arguments import arguments
from parley.config import load
from parley.errors import run_as_script
from parley.evaluation.plan import told
from parley.layout import Layout
from parley.records.jsonl import write_text


def main() -> None:
    """Parse the arguments and print."""
    options = arguments(__doc__).parse_args()
    experiment = load(options.experiment)
    text = "\n".join(told(experiment, Layout(experiment))) + "\n"
    print(text, end="")
    if options.log:
        write_text(options.log, text)


if __name__ == "__main__":
    run_as_script(main)

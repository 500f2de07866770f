"""A stand-in for vLLM: takes its command line, and answers over its protocol as a scripted speaker, whatever the weights.

`python -m tests.slurm.vllm serve MODEL --served-model-name NAME --host … --port … --lora-modules NAME=FOLDER …`
"""

import argparse
import os

from aiohttp import web

from parley.playhouse.server import SPEAKERS, application


def main() -> None:
    """Serve until stopped. As on a real node, there is nothing to serve with where no GPU is given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("serve", nargs=2)
    for name in (
        "--served-model-name",
        "--host",
        "--generation-config",
        "--max-lora-rank",
        "--max-loras",
        "--max-model-len",
    ):
        parser.add_argument(name)
    parser.add_argument("--port", type=int)
    parser.add_argument("--tensor-parallel-size", type=int, default=1)
    for name in ("--enable-prefix-caching", "--enable-lora"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--lora-modules", nargs="*", default=[])
    asked = parser.parse_args()
    devices = [one for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]
    if len(devices) < asked.tensor_parallel_size:
        raise SystemExit("RuntimeError: No CUDA GPUs are available")  # torch's words
    for name in (asked.served_model_name, *(module.split("=")[0] for module in asked.lora_modules)):
        SPEAKERS[name] = SPEAKERS["wanderer"]
    web.run_app(application(), host=asked.host, port=asked.port, print=None)


if __name__ == "__main__":
    main()

"""`python -m parley.llm.llamacpp`: serve one GGUF model, with any number of LoRA adapters, on the CPU.

The server is llama.cpp's own, from the package `xllamacpp` (extra `local`). It answers `/health`, `/v1/models` and
`/v1/chat/completions`. A request chooses adapters by their place on the command line:
`"lora": [{"id": 0, "scale": 1}]`.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m parley.llm.llamacpp", description=__doc__)
    parser.add_argument("--model", required=True, help="GGUF file")
    parser.add_argument("--alias", required=True, help="the model's name in /v1/models")
    parser.add_argument("--lora", action="append", default=[], help="GGUF adapter; may be given several times")
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 lets the system choose")
    parser.add_argument("--parallel", type=int, default=8, help="requests served at once")
    parser.add_argument("--context", type=int, default=1024, help="tokens of each request, prompt and answer")
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS") or 1))
    return parser.parse_args(argv)


def serve(options: argparse.Namespace) -> Any:
    """Start the server. It lives as long as what is returned."""
    import xllamacpp  # type: ignore[import-untyped,unused-ignore]

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = {options.alias}  # a set: a string would be taken letter by letter
    params.port = options.port
    params.n_parallel = options.parallel
    params.n_ctx = options.context * options.parallel
    params.fit_params = False  # else the context may be cut to what seems to fit
    params.warmup = False
    params.verbosity = 1  # errors; each request would else fill eight lines
    # In full precision, without flash attention: then a model says what it says in torch.
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 1.0) for path in options.lora]
    params.lora_init_without_apply = True
    return xllamacpp.Server(params)


def main() -> None:
    """Serve until terminated."""
    options = arguments()
    try:
        server = serve(options)
    except RuntimeError as error:
        sys.exit(f"llama.cpp cannot serve {options.model}: {error}")
    print(f"listening on {server.listening_address}", file=sys.stderr, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()

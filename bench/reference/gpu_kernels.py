# SPDX-License-Identifier: MIT
# What torch (cuDNN and flash attention) and bitsandbytes (NF4) take on a GPU for the shapes of bench/gpu_kernels.cu, which
# reads it: lines 'name <tab> shape <tab> library <tab> microseconds'; versions go to the error stream. [--tiny]
import sys

import torch

try:
    import bitsandbytes
    from bitsandbytes import functional
except ImportError:
    bitsandbytes = None

tiny = "--tiny" in sys.argv[1:]
on_gpu = torch.cuda.is_available()
if not on_gpu and not tiny:
    sys.exit("torch sees no GPU")
device = "cuda" if on_gpu else "cpu"
print("torch", torch.__version__, "cuDNN", torch.backends.cudnn.version() if on_gpu else "none", "bitsandbytes",
      bitsandbytes.__version__ if bitsandbytes else "none", file=sys.stderr)


def median_of(batch, count):
    return sorted(batch(i * count, count) for i in range(11))[5]


def microseconds(work, by_graph):
    """The median of eleven batches of about 5 ms. On a CPU, where a rehearsal runs it, nothing is timed."""
    work(0)
    if not on_gpu:
        return 0.0

    def timed(launches, count):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        launches()
        end.record()
        torch.cuda.synchronize()
        return 1e3 * begin.elapsed_time(end) / count

    def batch(first, count):
        return timed(lambda: [work(first + i) for i in range(count)], count)

    batch(0, 3)
    once = batch(0, 10)
    count = max(3, min(300, int(5e3 / once)))
    if once > 200 or not by_graph:
        return median_of(batch, count)
    # Python takes longer to launch something that short than the GPU to do it: a graph of launches is replayed.
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for i in range(count):
            work(i)
    timed(graph.replay, count)
    return median_of(lambda first, launches: timed(graph.replay, launches), count)


def line(name, shape, library, work, by_graph=True):
    try:
        print(name, shape, library, f"{microseconds(work, by_graph):.2f}", sep="\t", flush=True)
    except RuntimeError as error:
        print(f"{name} {shape} {library}: {str(error).splitlines()[0]}", file=sys.stderr)


def sets_of(size):
    return 1 if tiny else max(2, min(32, int(256e6 / size)))


def attention(width, tokens, heads, key_heads):
    from torch.nn.attention import SDPBackend, sdpa_kernel
    shape = f"{tokens} tokens, {heads}/{key_heads} heads"
    sets = sets_of(4 * tokens * (heads + key_heads) * width)

    def some(count):
        return [torch.randn(1, count, tokens, width, device=device, dtype=torch.bfloat16).requires_grad_()
                for _ in range(sets)]

    q, k, v = some(heads), some(key_heads), some(key_heads)
    dy = torch.randn(1, heads, tokens, width, device=device, dtype=torch.bfloat16)
    kinds = [("cuDNN", SDPBackend.CUDNN_ATTENTION), ("flash", SDPBackend.FLASH_ATTENTION)] if on_gpu else [
        ("torch on a CPU", SDPBackend.MATH)]

    def forward(i):
        i %= sets
        return torch.nn.functional.scaled_dot_product_attention(q[i], k[i], v[i], is_causal=True, enable_gqa=True)

    for library, backend in kinds:
        with sdpa_kernel(backend):
            with torch.no_grad():
                line(f"attention forward {width}", shape, library, forward)
            try:
                made = forward(0)
            except RuntimeError:
                continue  # said above
            # Its launches go to the stream of the forward pass, so a graph would not hold them.
            line(f"attention backward {width}", shape, library,
                 lambda i: torch.autograd.grad(made, (q[0], k[0], v[0]), dy, retain_graph=True), by_graph=False)


def nf4(tokens, out, inner):
    shape = f"{tokens} x {out} x {inner}"
    sets = sets_of(0.5625 * out * inner)
    weights = []
    for _ in range(sets):
        codes, state = functional.quantize_4bit(torch.randn(out, inner, device=device, dtype=torch.bfloat16) * 0.02,
                                                blocksize=64, quant_type="nf4", compress_statistics=False)
        weights.append((codes, state))
    x = torch.randn(tokens, inner, device=device, dtype=torch.bfloat16)
    dy = torch.randn(tokens, out, device=device, dtype=torch.bfloat16)
    with torch.no_grad():
        line("NF4 forward", shape, "bitsandbytes",
             lambda i: bitsandbytes.matmul_4bit(x, weights[i % sets][0].t(), quant_state=weights[i % sets][1]))
        # What its backward pass does: the weight written out in bf16, and a product.
        line("NF4 input gradient", shape, "bitsandbytes",
             lambda i: dy @ functional.dequantize_4bit(weights[i % sets][0], weights[i % sets][1]).to(dy.dtype))


for tokens in (128,) if tiny else (2048, 8192):
    for width in (64, 128):
        attention(width, tokens, 2 if tiny else 32, 1 if tiny else 8)
if bitsandbytes:
    for out, inner in ((128, 192),) if tiny else ((4096, 4096), (14336, 4096)):
        for tokens in (1, 4, 16, 128) if tiny else (1, 4, 8, 16, 64, 512, 2048, 8192):
            nf4(tokens, out, inner)

"""The fused kernels and their gradients against the same equations in float64."""

from __future__ import annotations

import pytest
import torch

from lcr_mmaction.ops import fused
from lcr_mmaction.ops.extension import why_missing

pytestmark = pytest.mark.skipif(
    why_missing("cpu") is not None, reason="there is no CPU kernel"
)


def normal(*shape: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(*shape, dtype=torch.float64)


def leaky_cell(clips=2, frames=3, tokens=21, channels=24):
    shape = (clips, frames, tokens, channels)
    inputs = normal(*shape, scale=3), normal(*shape, scale=3)
    return [
        *inputs,
        normal(channels),
        normal(channels),
        normal(clips, tokens, channels),
    ]


def gated_head_norm(rows=130, heads=3, size=20):
    channels = heads * size
    joined = normal(2, rows, 2 * channels)  # the gate is one half of a projection
    return [
        normal(2 * rows, heads, size),
        joined.chunk(2, dim=-1)[1],
        normal(channels),
        normal(channels),
    ]


def rotate_pairs(clips=2, frames=3, tokens=35, heads=2, size=12, masked=True):
    joined = normal(clips, frames, tokens, 2 * heads * size)
    angles = normal(clips if masked else 1, tokens, 1, size // 2)
    x = joined.chunk(2, dim=-1)[0].unflatten(-1, (heads, size))
    return [x, angles.cos(), angles.sin()]


def normed_difference(both, before, weight, bias, rectified):
    """The function while training, with the norm's parameters among its inputs."""
    norm = torch.nn.BatchNorm2d(len(weight), dtype=weight.dtype)
    del norm.weight, norm.bias
    norm.weight, norm.bias = weight, bias
    normed = fused.normed_difference(both, before, norm, rectified)
    return normed, norm.running_mean, norm.running_var


def difference(clips=2, frames=3, channels=10, height=15, width=14):
    both = normal(clips * frames, 2 * channels, height, width) + 0.5
    both = both.contiguous(memory_format=torch.channels_last)
    before = normal(clips, channels, height, width)
    return [both, before, normal(channels), normal(channels)]


def causal_shift(clips=2, frames=3, height=5, width=4, channels=84):
    tokens = normal(clips, frames, height * width, channels)
    before = normal(clips, height * width, channels)
    return [tokens, normal(2 * channels, 1, 3, 3), before]


def add_norm(tokens, branch, weight, bias, share):
    """The function, with the norm's parameters among its inputs."""
    norm = torch.nn.LayerNorm(len(weight))
    del norm.weight, norm.bias
    norm.weight, norm.bias = weight, bias
    return fused.add_norm(tokens, branch, share, norm)


def to_be_normed(clips=3, rows=50, channels=36):
    tokens, branch = normal(2, clips, rows, channels, scale=2).unbind(0)
    share = torch.tensor([1.25, 0.0, 1.25], dtype=torch.float64)[:clips]
    return [tokens, branch, normal(channels), normal(channels), share.view(-1, 1, 1)]


def to_be_gated():
    tokens, gate, value = normal(3, 2, 40, 500).unbind(0)
    share = torch.tensor([0.0, 2.0], dtype=torch.float64).view(2, 1, 1)
    return [tokens, 5 * gate, value, share]


CASES = {
    "add norm, shared": (add_norm, to_be_normed, ()),
    "add norm": (
        lambda *given: add_norm(*given, None),
        lambda: to_be_normed()[:-1],
        (),
    ),
    "add norm, nothing added": (
        lambda tokens, *given: add_norm(tokens, None, *given, None),
        lambda: [to_be_normed()[i] for i in (0, 2, 3)],
        (),
    ),
    "add gated, shared": (fused.add_gated, to_be_gated, ()),
    "add gated": (
        lambda *given: fused.add_gated(*given, None),
        lambda: to_be_gated()[:-1],
        (),
    ),
    "causal shift": (fused.causal_shift, causal_shift, (5,)),
    "causal shift, one frame of one row": (
        fused.causal_shift,
        lambda: causal_shift(1, 1, 1, 3, 16),
        (1,),
    ),
    "difference": (normed_difference, difference, (True,)),
    "difference, not rectified": (
        normed_difference,
        lambda: difference(3, 2, 24, 8, 8),
        (False,),
    ),
    "difference, one frame": (
        normed_difference,
        lambda: difference(2, 1, 16, 32, 32),
        (False,),
    ),
    "leaky cell": (fused.leaky_cell, leaky_cell, ()),
    "leaky cell, one frame": (fused.leaky_cell, lambda: leaky_cell(1, 1, 5, 8), ()),
    "gated head norm": (fused.gated_head_norm, gated_head_norm, (1e-5,)),
    "rotate": (fused.rotate_pairs, rotate_pairs, ()),
    "rotate, the same for all clips": (
        fused.rotate_pairs,
        lambda: rotate_pairs(masked=False),
        (),
    ),
    "squared relu": (fused.squared_relu, lambda: [normal(5, 7000)], ()),
}


def fixed(case):
    """Which inputs have no gradient: angles, and shares."""
    if "rotate" in case:
        return (1, 2)
    return {"add norm, shared": (4,), "add gated, shared": (3,)}.get(case, ())


def run(function, inputs, more, fixed=()):
    """Outputs, then the gradients of all inputs but the fixed ones."""
    leaves = [x.requires_grad_(i not in fixed) for i, x in enumerate(inputs)]
    # Some overwrite an input, which a leaf cannot be.
    given = [x.clone() if x.requires_grad else x for x in leaves]
    outputs = function(*given, *more)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    generator = torch.Generator().manual_seed(1)
    grads = [
        torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y)
        for y in outputs
        if y.requires_grad
    ]
    outputs_with_grad = [y for y in outputs if y.requires_grad]
    wanted = [x for x in leaves if x.requires_grad]
    return [y.detach() for y in outputs] + list(
        torch.autograd.grad(outputs_with_grad, wanted, grads)
    )


def in_float32(inputs, half=()):
    """The same values, strided alike; some in bfloat16."""
    copies = []
    for i, x in enumerate(inputs):
        dtype = torch.bfloat16 if i in half else torch.float32
        base = torch.empty_strided(x.shape, x.stride(), dtype=dtype)
        copies.append(base.copy_(x))
    return copies


def activations(case, inputs):
    """Which inputs may be in bfloat16; the others are parameters, states and angles."""
    if "add norm" in case:
        return ()
    if "add gated" in case:
        return (1, 2)
    if "leaky" in case or "norm" in case:
        return (0, 1)
    if "shift" in case:
        return (0, 2)
    return (0, 1) if "difference" in case else (0,)


@pytest.mark.parametrize("case", CASES)
def test_matches_the_equation_in_float64(case):
    torch.manual_seed(0)
    function, make, more = CASES[case]
    inputs = make()
    single = in_float32(inputs)
    assert fused._has_kernel(single)
    assert not fused._has_kernel(inputs)
    actual = run(function, single, more, fixed(case))
    expected = run(function, [x.detach() for x in inputs], more, fixed(case))
    for value, reference in zip(actual, expected, strict=True):
        assert value.shape == reference.shape
        error = (value.double() - reference).norm() / reference.norm()
        assert error < 1e-6


# A sum near 0 that is rounded before ReLU may come to lie on its other side.
@pytest.mark.parametrize("case", [x for x in CASES if CASES[x][2] != (True,)])
def test_bfloat16_is_rounded_once(case):
    torch.manual_seed(0)
    function, make, more = CASES[case]
    inputs = make()
    half = in_float32(inputs, activations(case, inputs))
    same = [x.detach().double() for x in half]
    actual = run(function, half, more, fixed(case))
    expected = run(function, same, more, fixed(case))
    for value, reference in zip(actual, expected, strict=True):
        # The incoming gradients are rounded as well, by run(), and so is a difference
        # before it is normed.
        rounded = value.dtype == torch.bfloat16 or "difference" in case
        bound = 5e-3 if rounded else 2e-3
        error = (value.double() - reference).norm() / reference.norm()
        assert error < bound
    wide = "leaky" in case or "add" in case
    assert actual[0].dtype == (torch.float32 if wide else torch.bfloat16)


def test_a_cell_takes_the_wider_of_two_dtypes():
    torch.manual_seed(0)
    inputs = leaky_cell()
    mixed = in_float32(inputs, (0,))
    expected = fused.leaky_cell(*(x.double() for x in mixed))
    for value, reference in zip(fused.leaky_cell(*mixed), expected, strict=True):
        torch.testing.assert_close(value.double(), reference, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_the_number_of_threads_changes_no_bit(case):
    torch.manual_seed(0)
    function, make, more = CASES[case]
    inputs = in_float32(make())
    before, results = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(
                run(function, [x.detach() for x in inputs], more, fixed(case))
            )
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(*pair) for pair in zip(results[0], other, strict=True))


@pytest.mark.parametrize("rectified", [False, True])
def test_batch_norm_is_folded_when_testing(rectified):
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm2d(10).double()
    norm(normal(50, 10, 3, 3, scale=2) + 1)
    torch.nn.init.normal_(norm.weight)
    norm.eval()
    both, before, *_ = difference()
    expected = fused.normed_difference(both, before, norm, rectified)
    single = in_float32([both, before])
    with_grad = fused.normed_difference(*single, norm.float(), rectified)
    with torch.no_grad():
        folded = fused.normed_difference(*single, norm, rectified)
    for value in (with_grad, folded):
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-5)
    assert with_grad.requires_grad and not folded.requires_grad


@pytest.mark.parametrize("used", ["hidden", "memory", "last memory"])
def test_a_cell_of_which_one_output_is_used(used):
    torch.manual_seed(0)
    grads = []
    double = leaky_cell()
    for inputs in (in_float32(double), double):
        leaves = [x.detach().requires_grad_() for x in inputs]
        hidden, memory = fused.leaky_cell(*leaves)
        y = {"hidden": hidden, "memory": memory, "last memory": memory[:, -1]}[used]
        grads.append(torch.autograd.grad(y.square().sum(), leaves))
    for value, reference in zip(*grads, strict=True):
        assert (value.double() - reference).norm() < 1e-5 * reference.norm()


@pytest.mark.parametrize("used", ["shifted", "kept"])
def test_a_shift_of_which_one_output_is_used(used):
    torch.manual_seed(0)
    grads = []
    double = causal_shift()
    for inputs in (in_float32(double), double):
        leaves = [x.detach().requires_grad_() for x in inputs]
        shifted, kept = fused.causal_shift(*leaves, 5)
        y = shifted if used == "shifted" else kept
        grads.append(torch.autograd.grad(y.square().sum(), leaves, allow_unused=True))
    for value, reference in zip(*grads, strict=True):
        if reference is None:
            assert value is None or not value.any()
        else:
            assert (value.double() - reference).norm() <= 1e-5 * reference.norm()


def test_a_shift_gives_the_bits_of_its_frames_one_by_one():
    torch.manual_seed(0)
    tokens, weight, before = in_float32(causal_shift())
    whole, last = fused.causal_shift(tokens, weight, before, 5)
    for t in range(tokens.shape[1]):
        frame, before = fused.causal_shift(tokens[:, t : t + 1], weight, before, 5)
        assert torch.equal(frame[:, 0], whole[:, t])
    assert torch.equal(before, last)


def test_a_shift_takes_the_dtype_of_autocast():
    torch.manual_seed(0)
    inputs = in_float32(causal_shift())
    with torch.autocast("cpu", torch.bfloat16):
        shifted, kept = fused.causal_shift(*inputs, 5)
    assert shifted.dtype == kept.dtype == torch.bfloat16
    expected = fused.causal_shift(*inputs, 5)
    for value, reference in zip((shifted, kept), expected, strict=True):
        assert (value - reference).norm() < 5e-3 * reference.norm()


def test_a_norm_takes_the_dtype_of_autocast():
    torch.manual_seed(0)
    results = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(0)
        tokens, branch, *rest, _ = (x.to(dtype) for x in to_be_normed())
        leaves = [x.requires_grad_() for x in (tokens, branch, *rest)]
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.float32):
            total, normed = add_norm(*leaves, None)
        assert total.dtype == dtype
        assert normed.dtype == (torch.bfloat16 if dtype == torch.float32 else dtype)
        loss = (total.sin() + normed.to(dtype).square()).sum()
        results.append([total, normed, *torch.autograd.grad(loss, leaves)])
    for value, reference in zip(*results, strict=True):
        assert (value.double() - reference).norm() < 5e-3 * reference.norm()


@pytest.mark.parametrize("used", ["sum", "norm"])
def test_a_sum_and_norm_of_which_one_is_used(used):
    torch.manual_seed(0)
    grads = []
    double = to_be_normed()
    for inputs in (in_float32(double), double):
        *leaves, share = (x.detach() for x in inputs)
        leaves = [x.requires_grad_() for x in leaves]
        total, normed = add_norm(*leaves, share)
        y = total if used == "sum" else normed
        grads.append(torch.autograd.grad(y.sin().sum(), leaves, allow_unused=True))
    for value, reference in zip(*grads, strict=True):
        if reference is None:
            assert not value.any()
        else:
            assert (value.double() - reference).norm() < 1e-6 * reference.norm()


def test_a_norm_that_somebody_watches_is_called():
    norm, seen = torch.nn.LayerNorm(8), []
    norm.register_forward_hook(lambda *given: seen.append(given))
    fused.add_norm(torch.randn(2, 8), None, None, norm)
    assert len(seen) == 1


def test_what_is_not_a_number_stays_so():
    bad = torch.tensor([torch.nan, torch.inf, -torch.inf, 1.0])
    assert fused.squared_relu(bad.clone()).isnan().tolist() == [True] + 3 * [False]
    gated = fused.add_gated(torch.zeros(4), bad.clone(), torch.ones(4), None)
    assert gated.isnan().tolist() == [True] + 3 * [False]
    gated, edges = torch.zeros(1, 1, 1, 4), bad.view(1, 1, 1, 4)
    one, none = torch.ones(4), torch.zeros(4)
    hidden, memory = fused.leaky_cell(gated, edges, one, none, one.view(1, 1, 4))
    assert memory.isnan().flatten().tolist() == [True] + 3 * [False]
    assert hidden.isnan().flatten().tolist() == [True] + 3 * [False]


def test_compiled_graphs_get_the_equation():
    torch.manual_seed(0)
    inputs = in_float32(leaky_cell())
    program = torch.export.export(
        Cell(), tuple(x.detach() for x in inputs), strict=False
    )
    assert "leaky_cell" not in str(program.graph)
    for value, reference in zip(
        program.module()(*inputs), fused.leaky_cell(*inputs), strict=True
    ):
        torch.testing.assert_close(value, reference)


class Cell(torch.nn.Module):
    """The function as a module, for export."""

    def forward(self, *inputs):
        return fused.leaky_cell(*inputs)


def test_a_batch_norm_counts_what_it_has_seen():
    torch.manual_seed(0)
    norms = [torch.nn.BatchNorm2d(10, dtype=dtype) for dtype in (torch.float, None)]
    norms[1].double()
    for frames in (1, 3):
        both, before, *_ = difference(frames=frames)
        both_dtypes = in_float32([both, before]), [both, before]
        for norm, inputs in zip(norms, both_dtypes, strict=True):
            fused.normed_difference(*inputs, norm, True)
    single, reference = (norm.state_dict() for norm in norms)
    assert single["num_batches_tracked"] == 2
    for name, value in single.items():
        torch.testing.assert_close(value, reference[name].to(value))

"""Writes the network of one task of a saved model to a file of its own; of HAT only the units that it uses.

    python src/export.py res/glyphs_hat_0.json --task 0 --output res/task0.pt2
"""
import importlib.util
import time

import utils
from approaches.hyper import Hyper
from runs import launch, parsing
from utils import ROOT, UserError, visible


def build():
    """The parser."""
    parser = parsing.Parser(prog='export.py', allow_abbrev=False,
                            description='Writes one task\'s network of a saved model (run.py --save) '
                            'by torch.export, checked on the test set; it takes images of pixels in 0..1.')
    launch.add_model(parser)
    parser.add_argument('--task', required=True, help='name or number')
    parser.add_argument('--threshold', type=Hyper('--threshold', float, 0.01, least=0, most=1).parse,
                        default=0.01,
                        help='hat: leave out units whose mask is below this (default %(default)s)')
    parser.add_argument('--output', metavar='FILE',
                        help='a name that ends in .pt2 (default: beside the result)')
    parser.add_argument('--onnx', metavar='FILE',
                        help='also as ONNX (needs: pip install onnx onnxscript; checked if there is '
                        'onnxruntime)')
    parser.add_argument('--data-dir', metavar='DIR', help='default: the run\'s')
    return parser


def rate(networks, x, rounds=7):
    """Images per second of each of some networks, the medians of rounds in turns."""
    import torch
    times = [[] for _ in networks]
    with torch.no_grad():
        for k in range(rounds + 1):
            for i, net in enumerate(networks):
                tick = time.perf_counter()
                for part in x.split(256):
                    net(part)
                times[i].append(time.perf_counter() - tick)
    return [len(x) / sorted(t[1:])[rounds // 2] for t in times]


def saved_as(net, x, path):
    """Writes a network by torch.export, for any number of images; returns the size in MB. Raises UserError
    where that cannot be."""
    import torch
    try:
        program = torch.export.export(net, (x[:2].clone(),), dynamic_shapes=({0: torch.export.Dim('batch')},))
    except Exception as e:  # whatever torch.export cannot trace
        raise UserError('torch.export cannot trace this network (%s: %s)' % (type(e).__name__, str(e)[:200]))
    with utils.replacing(path, 'wb') as f:
        torch.export.save(program, f)
    return program, path.stat().st_size / 1e6


def to_onnx(program, x, wanted, name):
    """Writes a program as ONNX and says how far its logits are from those wanted."""
    lacking = [p for p in ('onnx', 'onnxscript') if importlib.util.find_spec(p) is None]
    if lacking:
        raise UserError('--onnx needs: pip install %s' % ' '.join(lacking))
    import torch
    with utils.replacing(ROOT / name, 'wb') as f:
        torch.onnx.export(program, (x[:2].clone(),), str(f.name), verbose=False, external_data=False)
    print('ONNX at %s' % (ROOT / name))
    if importlib.util.find_spec('onnxruntime'):
        import onnxruntime
        session = onnxruntime.InferenceSession(str(ROOT / name))
        found = session.run(None, {session.get_inputs()[0].name: x[:256].numpy()})[0]
        print('  onnxruntime: largest difference of logits %.2g' % abs(found - wanted[:256].numpy()).max())


def main(argv=None):
    """Runs a command line; returns the exit status."""
    import torch
    from results import records
    from runs import machine, saved
    from networks import cut
    args = build().parse_args(argv)
    if args.output and not args.output.endswith('.pt2'):
        raise UserError('--output %s: expected a name that ends in .pt2' % args.output)
    machine.prepare()
    model = saved.Model(args.run, args.after)
    t, appr = model.learnt(args.task), model.appr
    output = ROOT / args.output if args.output else model.output.with_name(
        '%s_task%d.pt2' % (model.output.stem, t))
    records.check_writable(output)
    _, pixels = model.pixels(t)
    split = model.data(args.data_dir)[0][t]['test']
    wanted, y = model.logits(t, split['x']), split['y']
    x = split.images.raw(slice(None)).float().div(255)
    x = x[:, None] if x.dim() == 3 else x.permute(0, 3, 1, 2).contiguous()
    masks = [torch.from_numpy(m) for m in appr.attention(t + 1)[t]] if hasattr(appr, 'attention') else None

    def cut_out(least):
        net = cut.network(appr.model, t, appr.weights_of(t), model.own(t), masks, least)
        return torch.nn.Sequential(cut.Preprocessing(pixels), net).eval()
    part, whole = cut_out(args.threshold), cut_out(None)
    with torch.no_grad():
        found = torch.cat([part(b) for b in x.split(256)])
    program, size = saved_as(part, x, output)
    few, many = (sum(p.numel() for p in net[1].parameters()) for net in (part, whole))
    fast, slow = rate([part, whole], x[:2048])
    print('Task %d (%s) at %s (%.2f MB)' % (t, visible(model.names[t]), visible(output), size))
    print('Weights: %d of %d (%.1f%%), %.2f MB of %.2f' % (
        few, many, 100 * few / many, 4e-6 * few, 4e-6 * many))
    print('Images per second here: %.0f, the whole network %.0f (%.2f times)' % (fast, slow, fast / slow))
    mine, theirs = found.argmax(1), wanted.argmax(1)
    shares = [100 * (one == other).float().mean() for one, other in ((mine, y), (theirs, y), (mine, theirs))]
    print('On %d test images: accuracy %.2f%%, of the run\'s network %.2f%%; predictions agree on %.2f%%; '
          'largest difference of logits %.2g' % (len(y), *shares, (found - wanted).abs().max()))
    if args.onnx:
        to_onnx(program, x, found, args.onnx)
    return 0


if __name__ == '__main__':
    launch.script(main, 'export.py')

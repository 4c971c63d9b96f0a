"""Test the saved model of a run: the row of its accuracy matrix again, each class, disturbed images.

    python src/run.py --experiment glyphs --approach hat --nepochs 5 --save
    python src/evaluate.py res/glyphs_hat_0.json --corrupt noise:0.1,blur:1
"""
from approaches.hyper import Hyper
from runs import commandline, launch, parsing
from utils import UserError, visible


def build():
    """The parser."""
    parser = parsing.Parser(prog='evaluate.py', allow_abbrev=False,
                            description='Tests the saved model of a run (run.py --save).')
    launch.add_model(parser)
    parser.add_argument('--task',
                        help='test on this task alone, by name or number (default: all learnt by then)')
    parser.add_argument('--data-dir', metavar='DIR', help='default: the run\'s')
    parser.add_argument('--corrupt', default='', metavar='KIND:AMOUNT,...',
                        help='disturb the images: noise:0.1 adds normal noise of that deviation, in shares '
                        'of the range of the pixels; blur:1 is a Gaussian blur of that deviation in pixels')
    parser.add_argument('--infer', choices=commandline.ALL['infer'].choices,
                        help='infer tasks by this rule instead of the run\'s')
    parser.add_argument('--device', default='cpu', help='default %(default)s')
    parser.add_argument('--table', choices=('markdown', 'csv', 'latex'), default='markdown', help='default '
                        '%(default)s')
    parser.add_argument('--matrix', action='store_true', help='also print the confusion matrix')
    parser.add_argument('--output', metavar='FILE', help='figure of the confusion matrix, .png or .pdf')
    return parser


def corruptions(text):
    """[(kind, amount)] of --corrupt. Raises UserError."""
    out = []
    for part in text.split(',') if text else ():
        kind, _, amount = part.partition(':')
        if kind not in ('noise', 'blur'):
            raise UserError('--corrupt %s: expected noise:0.1 or blur:1' % part)
        out.append((kind, Hyper('--corrupt ' + kind, float, 0, above=0, most=100).parse(amount)))
    return out


def corrupted(x, how, std):
    """Images [N,C,H,W], standardised by std per channel, disturbed; the same every time."""
    import torch
    from torchvision.transforms import functional
    draw = torch.Generator().manual_seed(0)
    for kind, amount in how:
        if kind == 'noise':
            x = x + amount * torch.randn(x.shape, generator=draw) / torch.tensor(std).view(1, -1, 1, 1)
        else:
            # As far as edges can be mirrored.
            widths = [min(2 * round(3 * amount) + 1, 2 * side - 1) for side in (x.shape[3], x.shape[2])]
            x = functional.gaussian_blur(x, widths, amount)
    return x


def infer(model, how):
    """Let a model infer tasks by another rule; return whether it is another. Raises UserError for one that
    infers none."""
    scenario = model.appr.scenario
    if not scenario.infers:
        raise UserError('--infer: %s infers no task' % visible(model.output))
    before, scenario.how = scenario.how, how
    return how != before


def main(argv=None):
    """Runs a command line; returns the exit status."""
    import numpy as np
    from learning import evaluation
    from results import canvas, confusion, model_figures
    from runs import machine, saved
    args = build().parse_args(argv)
    how, output = corruptions(args.corrupt), canvas.target(args.output)
    machine.prepare()
    model = saved.Model(args.run, args.after, args.device)
    changed = bool(how) or bool(args.infer) and infer(model, args.infer)
    appr, tasks = model.appr, [model.learnt(args.task)] if args.task else range(model.t + 1)
    data, _, _ = model.data(args.data_dir)
    row, same, wanted, predicted = model.record['accuracy'][model.t], True, [], []
    more = ', images with ' + args.corrupt if how else ''
    print('%s after task %d (%s), %s%s' % (
        visible(model.output), model.t, visible(model.names[model.t]), visible(model.path), more))
    for u in tasks:
        test = data[u]['test']
        x, y = test['x'], test['y']
        if how:
            x = corrupted(x, how, getattr(getattr(test, 'pixels', None), 'std', (1.,)))
        loss, accuracy = appr.eval(u, x, y)
        differ = not changed and np.float32(accuracy).round(6) != np.float32(row[u])
        same = same and not differ
        then = ' the record has %.4f%%' % (100 * row[u]) if differ or changed else ''
        print('>>> Test on task {:2d} - {:15s}: loss={:.3f}, acc={:.4f}% <<<{}'.format(
            u, visible(model.names[u]), loss, 100 * accuracy, then))
        for found, labels in ((predicted, evaluation.told(appr, u, x).cpu()),
                              (wanted, appr.scenario.answer(u, y))):
            # as classes of all tasks, where each has its own head
            labels = appr.scenario.numbered(u, labels) if appr.scenario.told else labels
            found.append(labels.numpy())
    if not changed:
        there, here = model.record.get('device'), machine.describe(model.args.device)['device']
        other = 'It is not the row of the record: %s then, %s now' % (visible(there), here)
        print('The row of the record is the same' if same else other)
    names = classes(model)
    matrix = confusion.confusion(np.concatenate(wanted), np.concatenate(predicted), len(names))
    print(confusion.class_table(matrix, names).text(args.table))
    if args.matrix:
        print(confusion.matrix_table(matrix, names).text(args.table))
    if output:
        canvas.show(lambda fig: model_figures.confusion(fig, matrix, names), output)
    return 0


def classes(model):
    """The names of the classes that are predicted: of one head for all tasks numbers, else those of all
    tasks, with the task's where they do not differ."""
    if model.args.scenario == 'domain':
        return [str(c) for c in range(model.about['taskcla'][0][1])]
    pairs = model.scenario.firsts
    plain = [model.classes(t)[label] for t, label in pairs]
    if len(set(plain)) == len(plain):
        return plain
    return ['%s:%s' % (model.names[t], c) for (t, _), c in zip(pairs, plain)]


if __name__ == '__main__':
    launch.script(main, 'evaluate.py')

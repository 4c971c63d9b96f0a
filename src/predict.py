"""Classifies image files with the saved model of a run.

    python src/predict.py res/glyphs_hat_0.json --task 0 images/ --top 3
"""
import json
import sys
from pathlib import Path

import utils
from dataloaders.pictures import SUFFIXES
from runs import launch, parsing
from utils import ROOT, UserError, visible


def build():
    """The parser."""
    parser = parsing.Parser(prog='predict.py', allow_abbrev=False,
                            description='Classifies image files with the saved model of a run '
                            '(run.py --save); exit status 1 if a file cannot be read as an image.')
    launch.add_model(parser)
    parser.add_argument('images', nargs='+', metavar='IMAGE|FOLDER', help='image files, or folders of them')
    parser.add_argument('--task',
                        help='the task that the images belong to, by name or number (default: inferred)')
    parser.add_argument('--top', type=launch.whole('--top'), default=1, metavar='N',
                        help='the N likeliest classes (default %(default)s)')
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')
    parser.add_argument('--sheet', metavar='FILE', help='draw the images with their predicted classes, .png '
                        'or .pdf')
    parser.add_argument('--device', default='cpu', help='default %(default)s')
    return parser


def files(names):
    """The image files of files and folders. Raises UserError for what is not there, and for a folder without
    any."""
    out = []
    for name in names:
        path = ROOT / name if not Path(name).exists() else Path(name)
        if path.is_dir():
            there = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            if not there:
                raise UserError('%s has no images (%s)' % (name, ', '.join(SUFFIXES)))
            out += there
        elif path.is_file():
            out.append(path)
        else:
            raise UserError('%s is %s' % (name, 'no file' if path.exists() else 'not there'))
    return out


def tell(model, x, t):
    """(the task of each of the images [N,C,H,W], number or None, and the probabilities [N,K] of the classes
    that compete, with their names, a list per image). t: the task, or None: it is inferred, as under the
    class scenario."""
    from torch.nn.utils.rnn import pad_sequence
    from learning.evaluation import logits
    from learning.inference import Inferred
    from learning.scenario import Class
    appr, kind = model.appr, model.args.scenario
    if not appr.scenario.infers and (kind == 'domain' or kind == 'class' and t is None):  # one head
        p, chosen, names = logits(appr, 0, x).softmax(1), [None] * len(x), model.classes(0)
        if kind == 'class':
            firsts = model.scenario.firsts[:p.shape[1]]
            chosen = [firsts[k][0] for k in p.argmax(1).tolist()]
            names = [model.classes(u)[label] for u, label in firsts]
        return chosen, p, [names] * len(x)
    chosen = [t] * len(x)
    if t is None:
        tasks = [tuple(row) for row in model.about['taskcla']]
        infer = appr.scenario if appr.scenario.infers else Inferred('max-logit', Class(tasks))
        chosen = infer.choose(appr, x, appr.seen)[0].tolist()
    of = {u: model.logits(u, x).softmax(1) for u in set(chosen)}
    p = pad_sequence([of[u][i] for i, u in enumerate(chosen)], batch_first=True)
    return chosen, p, [model.classes(u) for u in chosen]


def read(paths, shape, pixels):
    """([images], [(path, how it was converted)], [what is wrong with the others]) of image files."""
    from dataloaders import pictures
    images, kept, wrong = [], [], []
    for path in utils.progress(paths, 'Reading images'):
        try:
            image, said = pictures.read(path, shape, pixels.cut)
        except ValueError as e:
            wrong.append(str(e))
            continue
        images.append(image)
        kept.append((path, said))
    return images, kept, wrong


def row(found):
    """A line of the table of what was found of an image."""
    top = ['%s %.1f%%' % (one['class'], 100 * one['probability']) for one in found['top']]
    return [Path(found['file']).name, found['task'], ', '.join(top), ', '.join(found['converted']) or None]


def main(argv=None):
    """Runs a command line; returns the exit status."""
    import numpy as np
    import torch
    from results import canvas, model_figures
    from results.tables import Table
    from runs import machine, saved
    args = build().parse_args(argv)
    sheet, found = canvas.target(args.sheet), files(args.images)
    machine.prepare()
    model = saved.Model(args.run, args.after, args.device)
    t = None if args.task is None else model.learnt(args.task)
    shape, pixels = model.pixels(0 if t is None else t)
    ways = {str(task['images']) for task in model.about['tasks'][:model.t + 1]}
    if t is None and len(ways) > 1:
        raise UserError('the tasks make their images in different ways (%s): give --task' %
                        model.args.experiment)
    images, kept, wrong = read(found, shape, pixels)
    for text in wrong:
        print('predict.py: %s: left out' % visible(text), file=sys.stderr)
    if not images:
        raise UserError('none of the %d files is an image that can be used' % len(found))
    tasks, p, names = tell(model, pixels(torch.from_numpy(np.stack(images))), t)
    out = []
    for (path, said), u, values, classes in zip(kept, tasks, p.tolist(), names):
        top = sorted(zip(values, classes), key=lambda pair: -pair[0])[:args.top]
        out.append({'file': str(path), 'task': None if u is None else model.names[u],
                    'top': [{'class': c, 'probability': round(v, 6)} for v, c in top], 'converted': said})
    if args.json:
        print(json.dumps(out, indent=1))
    else:
        how = 'the task is inferred' if tasks[0] is not None else 'one head for all tasks'
        how = how if t is None else 'task ' + model.names[t]
        print('%s, %s' % (visible(model.path), visible(how)))
        print(Table(['file', 'task', 'predicted', 'converted'], list(map(row, out))).text('markdown'))
    if sheet:
        titles = [[name, top.split(',')[0]] for name, _, top, _ in map(row, out)]
        canvas.show(lambda fig: model_figures.sheet(fig, images, titles), sheet)
    return int(bool(wrong))


if __name__ == '__main__':
    launch.script(main, 'predict.py')

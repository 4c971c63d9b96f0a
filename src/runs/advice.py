"""What can be said of approaches without running them: their families, their flags, and whose an option is."""
import difflib
import re

import utils

FAMILIES = 'baselines', 'regularisation', 'distillation', 'replay', 'projection', 'isolation', 'meta-learning'

GONE = {'--dense': ('--plain', '--plain computes all units, and everything else, by plain code'),
        '--fast-dropout': (None, 'dropout draws what torch draws'),
        '--cuda-graph': (None, '--compile captures graphs on CUDA')}


def flag(name):
    """'lr_min' -> '--lr-min'."""
    return '--' + name.replace('_', '-')


def by_family():
    """{family: {approach: the line that says what it is}}, from their files' texts; imports none of them."""
    there = {f: {} for f in FAMILIES}
    for name in utils.choices('approaches'):
        text = utils.source('approaches', name)
        family, title = re.search(r"^    family = '([^'\n]+)'", text, re.MULTILINE), re.match(r'\s*[ru]*(\"{3}|\'{3})(.+)', text)
        there.setdefault(family[1] if family else 'others', {})[name] = title[2].split(title[1])[0].strip()[:110] if title else ''
    return {family: names for family, names in there.items() if names}


def families():
    """The approaches by family with a line each, as text."""
    lines = [line for family, names in by_family().items() for line in (family + ':', *('  %-14s %s' % item for item in names.items()))]
    return '\n'.join(['approaches, by family; with --approach A, --help also lists the options of A itself', '', *lines])


def flags(approach):
    """The flags that an approach declares; none for one that cannot be imported."""
    try:
        return [flag(h.name) for h in getattr(utils.load('approaches', approach).Appr, 'hyperparameters', ())]
    except Exception:  # somebody's unfinished file must not stop others
        return []


def still(argv):
    """The command line of a record, of options that there are: what went is left out, or replaced by what has its place."""
    words = [GONE[word][0] if word in GONE else word for word in argv]
    return [word for word in words if word is not None]


def explain(option, approach, known):
    """Why an option is not among the known ones: whose it is, what it was, or what comes nearest."""
    name = option.split('=')[0]
    if name in GONE:
        return '%s is no more: %s' % (name, GONE[name][1])
    owners = [a for a in utils.choices('approaches') if a != approach and name in flags(a)]
    own = flags(approach)
    if owners:
        return '%s is an option of %s; %s has %s' % (name, ', '.join(owners), approach, ', '.join(own) or 'none')
    near = difflib.get_close_matches(name, known + own, 1)
    return 'unknown option %s; %s' % (name, 'perhaps %s' % near[0] if near else 'see --help')

"""What the readme says can be pasted can be."""
import os
import re
import shutil
import subprocess
import sys

import pytest

from utils import ROOT


@pytest.mark.parametrize('heading', ['Your own data', 'Your own method', 'Your own network'])
def test_the_blocks_of_one_s_own_run_as_they_stand(heading, tmp_path):
    shutil.copytree(ROOT / 'src', tmp_path / 'src', ignore=shutil.ignore_patterns('tests', '__pycache__'))
    for folder in ('dat', 'res', 'logs', 'bin'):
        (tmp_path / folder).mkdir()
    (tmp_path / 'bin' / 'python').write_text('#!/bin/sh\nexec %s "$@"\n' % sys.executable)
    (tmp_path / 'bin' / 'python').chmod(0o755)
    section = (ROOT / 'readme.md').read_text('utf-8').split('### %s\n' % heading)[1].split('\n### ')[0]
    blocks = re.findall(r'^```\n(.*?)^```$', section, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1 and blocks[0].count('\n') < 25
    done = subprocess.run(['bash', '-euo', 'pipefail', '-c', blocks[0]], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, 'PATH': '%s:%s' % (tmp_path / 'bin', os.environ['PATH'])})
    assert done.returncode == 0, done.stderr[-1000:]
    assert done.stdout.count('Done!') == blocks[0].count('src/run.py') and len(list((tmp_path / 'res').glob('own_*.json'))) > 0

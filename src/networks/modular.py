"""PathNet's networks: every layer a choice of modules (Fernando et al., PathNet, 2017)."""
import numpy as np
from torch import nn

from networks.layers import Layered, scaled


class Modular(Layered):
    """Layers of M modules each; a path picks N per layer, and a layer's output is the sum of theirs, each
    after ReLU, dropout and pooling; where a shortcut leads to it, that of the sum of their maps and it. A path is an integer array [L, N]; bestPath [tasks, L, N] holds those of
    the tasks learnt, -1 until then. Modules are created one of each layer after another, then the heads.
    """

    M, N, factor = 16, 3, 0.258

    def __init__(self, layers, inputsize, taskcla):
        super().__init__(scaled(layers, self.factor), inputsize, taskcla)
        self.L, self.ntasks = len(self.layers), len(taskcla)
        self.bestPath = np.full((self.ntasks, self.L, self.N), -1)
        for layer in self.layers:
            setattr(self, layer.name, nn.ModuleList())
        for _ in range(self.M):
            for i, layer in enumerate(self.layers):
                getattr(self, layer.name).append(self.build(i))
        self.add_heads()

    def forward(self, x, t, path=None, only=None):
        """Return the logits of all tasks (only: of that one, else None) of images x [B,C,H,W]; path: [L,N],
        default: task t's best."""
        outputs = []
        for i, chosen in enumerate(self.bestPath[t] if path is None else path):
            modules, layer = getattr(self, self.layers[i].name), self.layers[i]
            if layer.skip:
                x = self.finish(i, self.joined([modules[m] for m in chosen], x, outputs[i - layer.skip]))
            else:
                x = sum(self.run(i, x, modules[m]) for m in chosen)
            outputs.append(x)
        return self.outputs(x, only)

    @staticmethod
    def joined(chosen, h, source):
        """Return the sum of some modules' maps and shortcuts, the identity counted once."""
        z = sum(module.branch(h) for module in chosen)
        return z + (source if chosen[0].skip is None else sum(module.shortcut(source) for module in chosen))

    def each_module(self):
        """Return ((layer's name, number), module) of all modules."""
        names = [layer.name for layer in self.layers]
        return [((name, m), module) for name in names for m, module in enumerate(getattr(self, name))]

    def modules_of(self, *paths):
        """Return {(layer's name, number)} of all modules on the given paths."""
        names = [layer.name for layer in self.layers]
        return {(names[i], int(path[i, k])) for path in paths for i, k in np.ndindex(path.shape)}

    def unfreeze_path(self, t, path):
        """Train the modules of a path that are on no earlier task's best one, and the heads."""
        train = self.modules_of(path) - self.modules_of(*self.bestPath[:t])
        for key, module in self.each_module():
            module.requires_grad_(key in train)
        for head in self.heads():
            head.requires_grad_()

    def draw_paths(self, count):
        """Return random paths of distinct modules [count,L,N], drawn from numpy in the original's order."""
        paths = np.random.randint(0, self.M - 1, size=(count, self.L, self.N))  # and replaced, as there
        modules = list(range(self.M))
        for index in np.ndindex(count, self.L):
            np.random.shuffle(modules)
            paths[index] = modules[:self.N]
        return paths

    def mutated(self, path):
        """Return a copy of a path [L,N], each entry moved by -2 to 2 with probability 1 / (N L)."""
        path = path.copy()
        for i in np.ndindex(path.shape):
            if np.random.rand() < 1 / path.size:
                path[i] = (path[i] + np.random.randint(-2, 3)) % self.M
        return path

"""Networks made of a model's weights, kept as long as these stay what they are."""
from itertools import chain


class Kept:
    """Keeps what was made of a model until a parameter or statistic is changed in place, which torch counts,
    or given other storage. A change in place through .data is not counted: forget() then."""

    def __init__(self, model):
        self.model = model
        self.forget()

    def forget(self):
        """Drops everything."""
        self.versions, self.made = None, {}

    def get(self, key, make):
        """What make() returned for this key, if that still holds, or else returns now."""
        there = chain(self.model.parameters(), self.model.buffers())
        versions = [(p.data_ptr(), p._version) for p in there]
        if versions != self.versions:
            self.versions, self.made = versions, {}
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

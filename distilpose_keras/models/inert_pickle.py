"""Reads pickles as data: nothing that they name is imported, called or changed.

A pickle is a program that may call whatever it names. Here a name stays a `Name`, a
call of one becomes what a table of our own functions makes of it, and everything else
an `Inert` object that remembers its class and its state. So the tensors beside a
logger or a whole module can be read, and the logger cannot do anything.
"""

import pickle
from dataclasses import dataclass


@dataclass(frozen=True)
class Name:
    """A class or function that a pickle names; it is not looked up.

    Attributes:
        path: module and name, such as ``torch.FloatStorage``.
    """

    path: str


@dataclass(eq=False)
class Inert:
    """An object of a class that was not looked up.

    Attributes:
        path: of its class, or of the function that would have made it.
        state: what the pickle would have set its attributes to.
    """

    path: str
    state: object = None


@dataclass(eq=False)
class InertArray:
    """A NumPy array in a pickle: its state is shape, dtype, order and bytes."""

    state: object = None


@dataclass
class PickledDtype:
    """A NumPy dtype in a pickle; its state says the byte order."""

    code: str
    state: object = None


def load(file, makers, persistent_load):
    """Read the next pickle of a file.

    Args:
        file: a binary file at the beginning of a pickle, all of it in memory or mapped:
            a length in the pickle is asked of it before it is believed.
        makers: dict from the path of a class or function to the function of ours that
            is called in its place, with what the pickle calls it with.
        persistent_load: function of a persistent id, see `pickle.Unpickler`.

    Returns:
        Plain values, what the makers return, `Name` and `Inert` objects.

    Raises:
        Exception: of any kind, if the pickle is damaged.
    """
    return _Unpickler(file, makers, persistent_load).load()


# The module written in Python: that in C lets a pickle call what is on its stack, and
# allocates a table as large as a memo index says.
class _Unpickler(pickle._Unpickler):
    """Python's unpickler with every instruction that calls or sets replaced."""

    def __init__(self, file, makers, persistent_load):
        super().__init__(file, encoding="latin1")
        self._makers = makers
        self.persistent_load = persistent_load

    def find_class(self, module, name):
        return Name(f"{module}.{name}")

    def get_extension(self, code):
        raise pickle.UnpicklingError(f"extension {code}")

    def _call(self, function, arguments):
        if not isinstance(function, Name):
            raise pickle.UnpicklingError("calls what is not a name")
        maker = self._makers.get(function.path)
        if maker is None:
            return Inert(function.path)
        return maker(*arguments)

    def _reduce(self):
        arguments = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], arguments)

    def _new_object_with_keywords(self):
        self.stack.pop()
        self._reduce()

    def _object(self):
        function, *arguments = self.pop_mark()
        self.append(self._call(function, arguments))

    def _instance(self):
        path = (self.readline()[:-1].decode("ascii") for _ in range(2))
        arguments = self.pop_mark()
        self.append(self._call(self.find_class(*path), arguments))

    def _build(self):
        state = self.stack.pop()
        if isinstance(self.stack[-1], Inert | InertArray | PickledDtype):
            self.stack[-1].state = state

    def _set_items(self):
        items = self.pop_mark()
        set_items(self.stack[-1], zip(items[::2], items[1::2], strict=True))

    def _set_item(self):
        value, key = self.stack.pop(), self.stack.pop()
        set_items(self.stack[-1], [(key, value)])

    def _extend(self):
        items = self.pop_mark()
        if type(self.stack[-1]) is list:
            self.stack[-1].extend(items)

    def _append_item(self):
        item = self.stack.pop()
        if type(self.stack[-1]) is list:
            self.stack[-1].append(item)

    def _add_items(self):
        self.pop_mark()  # no set of a checkpoint is looked at

    def _frozen_set(self):
        self.append(tuple(self.pop_mark()))

    def _refuse(self):
        raise pickle.UnpicklingError("an instruction that no checkpoint has")

    dispatch = {
        **pickle._Unpickler.dispatch,
        pickle.REDUCE[0]: _reduce,
        pickle.NEWOBJ[0]: _reduce,
        pickle.NEWOBJ_EX[0]: _new_object_with_keywords,
        pickle.OBJ[0]: _object,
        pickle.INST[0]: _instance,
        pickle.BUILD[0]: _build,
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_items,
        pickle.APPEND[0]: _append_item,
        pickle.APPENDS[0]: _extend,
        pickle.ADDITEMS[0]: _add_items,
        pickle.FROZENSET[0]: _frozen_set,
        pickle.BYTEARRAY8[0]: _refuse,  # allocates before it reads
    }


def set_items(target, items):
    """Set items of a dict; keys that are not plain, and other targets, are passed over.

    Hashing a tuple in a tuple in a tuple overflows the stack of the interpreter.
    """
    if type(target) is not dict:
        return
    for key, value in items:
        if isinstance(key, str | int | float | bytes | Name):
            target[key] = value

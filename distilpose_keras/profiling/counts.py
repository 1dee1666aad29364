"""What is counted of a model or a file."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Profile:
    """What a model costs.

    Attributes:
        model: its name, or the file's.
        trainable_params: trainable parameters; None for an exported file, which
            does not say.
        total_params: all parameters, moving averages included; of an exported file
            the values of its weights and other constants.
        gmacs: true multiply-accumulates of one image, in 1e9.
        gflops_paper: the papers' count, in 1e9.
        outputs: dict from output name to its shape for one image.
    """

    model: str
    trainable_params: int | None
    total_params: int
    gmacs: float
    gflops_paper: float
    outputs: dict[str, list[int]]

    def to_dict(self):
        """Return a JSON-ready dict."""
        return asdict(self)


@dataclass
class Counts:
    """Operations of one image while they are added up."""

    linear: int = 0  # multiply-accumulates of convolutions and linear maps
    attention: int = 0  # multiply-accumulates of products of two activations
    elementwise: int = 0  # what else the papers' tool counts

    @property
    def gmacs(self):
        """True multiply-accumulates, in 1e9."""
        return (self.linear + self.attention) / 1e9

    @property
    def gflops_paper(self):
        """The papers' count, in 1e9."""
        return (self.linear + self.elementwise) / 1e9

"""The names under which exported files describe themselves."""

FORMAT = "distilpose-keras"  # what the description says that it is
ENTRY = "distilpose"  # where the file holds it

"""Pages of the site that are written by the code: commands, models, API reference.

A page's line ``<!-- generated: NAME -->`` becomes what the function NAME returns.
"""

import contextlib
import io
import re

MARK = re.compile(r"<!-- generated: (\w+) -->")


def on_page_markdown(markdown, **_):
    """Fill in what the page asks for; called by mkdocs."""
    return MARK.sub(lambda found: PAGES[found[1]](), markdown)


def commands():
    """The help of every command."""
    from distilpose_keras.commands import main

    parts = []
    for name in main.COMMANDS:
        typed = name.replace("_", "-")
        parser = main._parser(name, f"distilpose {typed}")
        parts.append(f"## {typed}\n\n```text\n{parser.format_help()}```\n")
    return "\n".join(parts)


def models():
    """The table that `distilpose models --markdown` prints."""
    from distilpose_keras.commands import models as command

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        command._print_markdown([command._texts(row) for row in command._rows()])
    return printed.getvalue()


def reference():
    """All public names, by the module that they come from."""
    import distilpose_keras

    by_module = {}
    for name, module in distilpose_keras._HOME.items():
        by_module.setdefault(module.split(".")[0], []).append(name)
    parts = []
    for module, names in sorted(by_module.items()):
        parts.append(f"## {module}\n")
        for name in sorted(names):
            home = getattr(distilpose_keras, name)
            home = getattr(home, "__module__", None)
            if not isinstance(home, str) or not home.startswith("distilpose_keras"):
                home = f"distilpose_keras.{distilpose_keras._HOME[name]}"
            parts.append(f"::: {home}.{name}\n")
    return "\n".join(parts)


PAGES = {"commands": commands, "models": models, "reference": reference}

"""Plain text to a few tags of HTML: headings, lists and paragraphs, everything else escaped."""

from markupsafe import Markup, escape


def html_of(text: str) -> Markup:
    """`# ` headings, `- ` lists and paragraphs of a text as HTML."""
    parts: list[Markup] = []
    for block in text.strip().split("\n\n"):
        lines = block.strip().split("\n")
        if lines[0].startswith("# "):
            parts.append(Markup("<h1>{}</h1>").format(lines[0][2:]))
            lines = lines[1:]
        if not lines:
            continue
        if lines[0].startswith("- "):
            items: list[str] = []
            for line in lines:
                if line.startswith("- "):
                    items.append(line[2:])
                else:
                    items[-1] += f" {line.strip()}"
            parts.append(Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(i) for i in items)))
        else:
            parts.append(Markup("<p>{}</p>").format(escape(" ".join(line.strip() for line in lines))))
    return Markup("\n").join(parts)

"""What makes pages of the code, when the site is built: nothing of them is kept, so nothing can be out of date.

`hooks` is what MkDocs calls. Each of the others makes the text of some pages, in Markdown, and knows nothing of MkDocs.
"""

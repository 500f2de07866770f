"""The playhouse: an embedded stand-in world of scripted speakers behind a real OpenAI-protocol server.

Speakers read nothing but the prompt that a language model would get, answer in its format, and are deterministic in
the request and its seed. The rest of Parley does not know that this package exists: it is one more endpoint.
"""

"""A trained model in one file, for use elsewhere: a module a format.

Another one is a module here: below `@PACKAGES.register("name", suffix=".ending")` a function from a `Model` and a path.
It writes the file, opens it again, and returns in words what it has seen; it raises a `UserError` if that is wrong.
"""

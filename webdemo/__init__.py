"""The server: an HTTP API around a model, and the typeahead page.

``create_app`` (in ``app``) makes the Flask application. ``api`` has the routes, ``limits`` what a request may be,
``models`` what it is answered with and how that is replaced while requests run.
"""

"""Two means of reprojection errors, over a picture's points and over all points, have two names."""

from web.panel.capture_tab import named_columns


def test_a_pictures_error_says_of_what() -> None:
    rows = named_columns([{"name": "a.jpg", "error": 0.59}, {"name": "b.jpg"}])
    assert rows == [{"name": "a.jpg", "error of its points, px": 0.59}, {"name": "b.jpg"}]

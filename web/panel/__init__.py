"""The panel: truth, teacher, student and exports of one or several runs side by side, in Streamlit.

    app.py -> page.main -> sidebar.choose -> Selection -> one module a tab
                                                          work: comparisons and opened models, in threads of their own

Nothing imports torch before the first picture is painted.
"""

"""How raters err, copy and drift: the models of choice, whatever the kind of question that uses them."""

docker restart -t 0 {{b}}

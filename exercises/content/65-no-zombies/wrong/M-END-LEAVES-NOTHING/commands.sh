docker restart -t 0 {{farm}}

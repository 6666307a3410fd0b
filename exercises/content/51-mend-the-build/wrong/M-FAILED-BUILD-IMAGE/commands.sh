docker build -q -t {{cake}} . || true

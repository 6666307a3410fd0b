docker exec {{name}} sh -c 'echo "Today: {{dish}}" >/menu.txt'

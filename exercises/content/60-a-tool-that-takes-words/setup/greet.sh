#!/bin/sh
[ $# -gt 0 ] || echo "Nobody to greet"
for name; do
  echo "{{greeting}}, $name."
done

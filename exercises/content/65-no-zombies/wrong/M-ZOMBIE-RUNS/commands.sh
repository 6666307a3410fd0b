docker exec {{farm}} sh -c 'kill -9 $(ps -e -o pid,stat | grep Z | sed "s/^ *//; s/ .*//")' || true

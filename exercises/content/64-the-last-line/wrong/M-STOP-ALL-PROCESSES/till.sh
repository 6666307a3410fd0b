#!/bin/sh
takings={{sum}}
trap 'echo "Takings: $takings"; exit 0' TERM
echo open >/door &
sleep 600 &
wait $!

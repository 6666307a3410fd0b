#!/bin/sh
takings={{sum}}
echo open >/door &
sleep 600
echo "Takings: $takings"

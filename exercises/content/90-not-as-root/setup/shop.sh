#!/bin/sh
set -e
echo "a lamp for $(id -u)" >/data/orders.txt
exec sleep 600

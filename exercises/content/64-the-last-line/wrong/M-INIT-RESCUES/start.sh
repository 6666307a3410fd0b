#!/bin/sh
echo The till is opened
exec /till.sh

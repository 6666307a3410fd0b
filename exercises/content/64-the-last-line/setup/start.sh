#!/bin/sh
echo The till is opened
/till.sh

#!/bin/sh
echo try >>/tries
if [ $(wc -l </tries) -lt 3 ]; then
  echo "The door is stuck"
  exit {{code}}
fi
echo "The shop is open"
exec sleep 600

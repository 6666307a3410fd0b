#!/bin/sh
if [ ! -f /stock/{{file}} ]; then
  echo "There is no file /stock/{{file}}, so there is nothing to sell" >&2
  exit {{code}}
fi
exec sleep 600

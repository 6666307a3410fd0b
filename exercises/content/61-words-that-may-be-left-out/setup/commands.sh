docker build -q -t {{base}} base
rm -r base

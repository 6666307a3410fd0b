docker build -q -t {{shop}}:safe --secret id=token,src=token.txt .

mkdir -p {{cache}} logs src/{{deep}}
dd if=/dev/zero of={{cache}}/parts.bin bs=1k count={{size}}
dd if=/dev/zero of=logs/{{day}}.log bs=1k count=60
dd if=/dev/zero of=src/{{deep}}/trace.log bs=1k count=40
echo somebody was here >logs/audit.log
echo hello >src/main.txt

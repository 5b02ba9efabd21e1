#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev; mount -t securityfs x /sys/kernel/security
printf 'measure func=BPRM_CHECK mask=MAY_EXEC\nmeasure func=FILE_CHECK mask=MAY_READ uid=0 fsmagic=0x858458f6\nmeasure func=FILE_CHECK mask=MAY_READ uid=0 fsmagic=0x01021994\n' > /tmp/policy
cat /tmp/policy > /sys/kernel/security/ima/policy
mkdir -p /usr/lib/box
i=0; while [ $i -lt 40 ]; do printf '#!/bin/sh\n: %s\n' $i > "/usr/lib/box/program-$i"; chmod +x /usr/lib/box/program-$i; /usr/lib/box/program-$i; i=$((i+1)); done
printf '#!/bin/sh\n: odd name\n' > "/usr/lib/box/a name with spaces"; chmod +x "/usr/lib/box/a name with spaces"; "/usr/lib/box/a name with spaces"
echo one > /etc-file; exec 3>>/etc-file; cat /etc-file > /dev/null; exec 3>&-
dump() { echo "BEGIN $1"; gzip -c "$2" | base64; echo "END $1"; }
dump bios /sys/kernel/security/tpm0/binary_bios_measurements
cp /sys/kernel/security/ima/binary_runtime_measurements /proc/self/../1/cwd/ima1 2>/dev/null || cat /sys/kernel/security/ima/binary_runtime_measurements > /ima1
for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo "PCR $i $(cat /sys/class/tpm/tpm0/pcr-sha256/$i)"; done
dump ima /sys/kernel/security/ima/binary_runtime_measurements
dump ascii /sys/kernel/security/ima/ascii_runtime_measurements
echo ALLDONE
poweroff -f

#!/bin/sh
# Process 1 of the guest: makes the simulated hardware, runs the tests, leaves their exit status, and switches off.
stage=${0%/*}
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run LANG=C.UTF-8

mount -t proc proc /proc
[ -e /proc/sys/kernel/io_uring_disabled ] && echo 2 >/proc/sys/kernel/io_uring_disabled
mount -t sysfs sysfs /sys
mount -t configfs configfs /sys/kernel/config
mount -t tmpfs tmpfs /run
mount -t devtmpfs devtmpfs /dev
ip link set lo up 2>/dev/null

# GPIO chips, the one that is meant never the first: named and as wide as those of the boards of board-configs/.
make_chip() {
  chip=/sys/kernel/config/gpio-sim/$1
  mkdir "$chip" "$chip/bank0"
  echo "$2" >"$chip/bank0/num_lines"
  echo "$1" >"$chip/bank0/label"
  echo 1 >"$chip/live"
}
make_chip other-chip 4
make_chip pinctrl-bcm2711 58
make_chip pinctrl-bcm2835 54
make_chip pinctrl-rp1 54
make_chip periphs-banks 86

# An I2C bus: INA2xx at 0x40 for us and at 0x41 for the kernel's driver, a thermometer at 0x48, a display at 0x27.
insmod "$stage/i2c-stub.ko" chip_addr=0x27,0x40,0x41,0x48
echo ina219 0x41 >/sys/bus/i2c/devices/i2c-0/new_device

# A TPM as the kernel's own: /dev/tpm0 and /dev/tpmrm0.
mkdir /run/tpm
swtpm chardev --vtpm-proxy --tpm2 --tpmstate dir=/run/tpm --flags startup-clear --seccomp action=none >/run/swtpm.log 2>&1 &
for _ in 1 2 3 4 5 6 7 8 9 10; do
  [ -e /dev/tpmrm0 ] && break
  sleep 0.1
done

cd "$stage/test" || exit
"$stage/node" --test --test-concurrency=1 --test-timeout=60000 "$stage"/test/*.test.mjs
echo $? >"$stage/output/status"
sync
# reboot(2), RB_POWER_OFF: a process 1 that only ends is a kernel panic.
exec python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321FEDC)'

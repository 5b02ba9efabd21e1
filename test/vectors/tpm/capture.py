#!/usr/bin/env python3
"""Captures evidence.json and vrf.json from a software TPM with tpm2-tools: proper evidence and the attacks of naive
verifiers. The VRF half is a second implementation of RFC 9381 section 4 in plain integers. Needs swtpm, swtpm_setup,
tpm2-tools and openssl. Usage: capture.py (writes beside itself)."""
import hashlib, json, os, pathlib, secrets, shutil, subprocess, tempfile, time

HERE = pathlib.Path(__file__).parent
WORK = pathlib.Path(tempfile.mkdtemp(prefix='capstan-capture-'))
EK, AK, VRF, PRIMARY, OWNER, LOOSE = '0x81010001', '0x81020001', '0x81020002', '0x81020003', '0x81020004', '0x81020005'
AK_ATTRIBUTES = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign'
VRF_ATTRIBUTES = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|decrypt'
QUALIFYING = hashlib.sha256(b'capstan capture').hexdigest()
OUTSIDE = hashlib.sha256(b'capstan beacon').hexdigest()


def run(*command):
    return subprocess.run(command, cwd=WORK, check=True, capture_output=True).stdout


def tpm2(tool, *arguments):
    run(f'tpm2_{tool}', *arguments)


def read(name):
    return (WORK / name).read_bytes()


def inner(name):
    """The structure inside a TPM2B."""
    return read(name)[2:].hex()


def start():
    (WORK / 'ca').mkdir()
    (WORK / 'state').mkdir()
    names = {'statedir': 'ca', 'signingkey': 'ca/signkey.pem', 'issuercert': 'ca/issuercert.pem', 'certserial': 'ca/certserial'}
    (WORK / 'localca.conf').write_text(''.join(f'{key} = {WORK / value}\n' for key, value in names.items()))
    (WORK / 'options').write_text('--platform-manufacturer Capstan\n--platform-version 1\n--platform-model bench\n')
    tool = shutil.which('swtpm_localca')
    (WORK / 'setup.conf').write_text(f'create_certs_tool = {tool}\ncreate_certs_tool_config = {WORK}/localca.conf\n'
                                     f'create_certs_tool_options = {WORK}/options\nactive_pcr_banks = sha256\n')
    run('swtpm_setup', '--tpm2', '--config', f'{WORK}/setup.conf', '--tpmstate', f'{WORK}/state', '--create-ek-cert')
    os.environ['TPM2TOOLS_TCTI'] = f'swtpm:path={WORK}/s'
    process = subprocess.Popen(['swtpm', 'socket', '--tpm2', '--tpmstate', f'dir={WORK}/state', '--server', f'type=unixio,path={WORK}/s',
                                '--ctrl', f'type=unixio,path={WORK}/s.ctrl', '--flags', 'startup-clear,not-need-init'], stderr=subprocess.DEVNULL)
    while not (WORK / 's.ctrl').exists():
        time.sleep(0.05)
    return process


def flush():
    tpm2('flushcontext', '-t')


def endorsement_session():
    tpm2('startauthsession', '--policy-session', '-S', 'session')
    tpm2('policysecret', '-S', 'session', '-c', 'e')


def child(handle, name, algorithm, attributes, *extra):
    endorsement_session()
    tpm2('create', '-C', EK, '-P', 'session:session', '-G', algorithm, '-g', 'sha256', '-a', attributes, '-u', f'{name}.pub', '-r', f'{name}.priv', *extra)
    tpm2('flushcontext', 'session')
    endorsement_session()
    tpm2('load', '-C', EK, '-P', 'session:session', '-u', f'{name}.pub', '-r', f'{name}.priv', '-c', f'{name}.ctx')
    tpm2('flushcontext', 'session')
    tpm2('evictcontrol', '-C', 'o', '-c', f'{name}.ctx', handle)
    flush()


def primary(handle, name, hierarchy):
    tpm2('createprimary', '-C', hierarchy, '-G', 'ecc256:ecdsa-sha256:null', '-g', 'sha256', '-a', AK_ATTRIBUTES, '-c', f'{name}.ctx')
    tpm2('evictcontrol', '-C', 'o', '-c', f'{name}.ctx', handle)
    tpm2('readpublic', '-c', handle, '-f', 'tss', '-o', f'{name}.pub')
    flush()


def signed(tool, *arguments):
    """A command that writes the attestation and the signature."""
    tpm2(tool, *arguments)
    return {'attestation': read('attestation').hex(), 'signature': read('signature').hex()}


def quote(pcrs, key=AK):
    return signed('quote', '-c', key, '-l', pcrs, '-g', 'sha256', '-q', QUALIFYING, '-m', 'attestation', '-s', 'signature')


def time_of(key):
    return signed('gettime', '-c', key, '-g', 'sha256', '-q', QUALIFYING, '--attestation', 'attestation', '-o', 'signature')


def signed_bytes(attestation, key):
    """TPM2_Hash and TPM2_Sign: any key signs bytes that do not begin with TPM_GENERATED; an unrestricted one signs all."""
    (WORK / 'forged').write_bytes(bytes.fromhex(attestation))
    tpm2('hash', '-C', 'e', '-g', 'sha256', '-o', 'digest', '-t', 'ticket', 'forged')
    tpm2('sign', '-c', key, '-g', 'sha256', '-d', '-t', 'ticket', '-o', 'signature', 'digest')
    return {'attestation': attestation, 'signature': read('signature').hex()}


def nv_certified():
    tpm2('nvdefine', '-C', 'o', '-s', '32', '-a', 'ownerread|ownerwrite|authread|authwrite', '0x1500001')
    (WORK / 'contents').write_bytes(bytes(32))
    tpm2('nvwrite', '-C', 'o', '-i', 'contents', '0x1500001')
    tpm2('nvreadpublic', '0x1500001')
    return signed('nvcertify', '-C', AK, '-c', 'o', '-g', 'sha256', '-q', QUALIFYING, '--size', '32', '--offset', '0', '-o', 'signature', '--attestation', 'attestation', '0x1500001')


def pcr_values(indices):
    tpm2('pcrread', 'sha256:' + ','.join(map(str, indices)), '-o', 'pcrs')
    return [{'index': index, 'value': read('pcrs')[32 * at:32 * at + 32].hex()} for at, index in enumerate(indices)]


def der(pem):
    return run('openssl', 'x509', '-in', pem, '-outform', 'DER').hex()


def nv_certificate(index):
    tpm2('nvread', '-C', 'o', index, '-o', 'certificate')
    return read('certificate').hex()


def evidence():
    tpm2('readpublic', '-c', EK, '-f', 'tss', '-o', 'ek.pub')
    child(AK, 'ak', 'ecc256:ecdsa-sha256:null', AK_ATTRIBUTES)
    child(VRF, 'vrf', 'rsa2048:null:null', VRF_ATTRIBUTES, '--outside-info', OUTSIDE, '--creation-data', 'creation', '-t', 'creation.ticket', '-d', 'creation.hash')
    child(LOOSE, 'loose', 'ecc256:ecdsa-sha256:null', AK_ATTRIBUTES.replace('restricted|', ''))
    primary(PRIMARY, 'primary', 'e')
    primary(OWNER, 'owner', 'o')
    zero = {**quote('sha256:8,14'), 'pcrs': pcr_values([8, 14])}
    for index in (8, 14, 16, 23):
        tpm2('pcrextend', f'{index}:sha256={hashlib.sha256(bytes([index])).hexdigest()}')
    good = quote('sha256:8,14')
    result = {
        'qualifyingData': QUALIFYING, 'outsideInfo': OUTSIDE, 'certifyQualifyingData': '00ff55aa',
        'endorsementKey': inner('ek.pub'), 'attestationKey': inner('ak.pub'), 'vrfKey': inner('vrf.pub'),
        'unrestrictedKey': inner('loose.pub'), 'primaryKey': inner('primary.pub'), 'ownerKey': inner('owner.pub'),
        'certificate': nv_certificate('0x1C00002'), 'intermediate': der('ca/issuercert.pem'), 'root': der('ca/swtpm-localca-rootca-cert.pem'),
        'pcrs': pcr_values([8, 14]), 'creationData': inner('creation'),
        'quote': good, 'time': time_of(AK),
        'certify': signed('certify', '-C', AK, '-c', VRF, '-g', 'sha256', '-o', 'attestation', '-s', 'signature'),
        'certifyCreation': signed('certifycreation', '-C', AK, '-c', VRF, '-d', 'creation.hash', '-t', 'creation.ticket', '-g', 'sha256',
                                  '-q', QUALIFYING, '-o', 'signature', '--attestation', 'attestation'),
        'attacks': {
            'forgedMagic': signed_bytes('ff544346' + good['attestation'][8:], AK),
            'nvCertified': nv_certified(),
            'resettablePcrs': {**quote('sha256:16,23'), 'pcrs': pcr_values([16, 23])},
            'morePcrs': {**quote('sha256:8,14,16'), 'pcrs': pcr_values([8, 14, 16])},
            'noPcrs': quote('sha256:none'),
            'inactiveBank': quote('sha1:8,14'),
            'zeroPcrs': zero,
            'unrestrictedKey': signed_bytes(good['attestation'], LOOSE),
            'primaryKeyQuote': quote('sha256:8,14', PRIMARY),
            'ownerKeyTime': time_of(OWNER),
            'certifiedOtherKey': signed('certify', '-C', AK, '-c', LOOSE, '-g', 'sha256', '-o', 'attestation', '-s', 'signature'),
        },
    }
    return result


def mgf1(seed, length):
    return b''.join(hashlib.sha256(seed + counter.to_bytes(4, 'big')).digest() for counter in range(-(-length // 32)))[:length]


def encoded_message(n, alpha):
    return b'\0' + mgf1(b'\x01\x01' + (256).to_bytes(4, 'big') + n.to_bytes(256, 'big') + alpha, 255)


def prime():
    while True:
        candidate = secrets.randbits(1024) | (3 << 1022) | 1
        if candidate % 65537 != 1 and all(pow(base, candidate - 1, candidate) == 1 for base in (2, 3, 5, 7, 11)):
            return candidate


def software_proofs(key_count, alphas):
    for _ in range(key_count):
        p, q = prime(), prime()
        n, d = p * q, pow(65537, -1, (p - 1) * (q - 1))
        for alpha in alphas:
            pi = pow(int.from_bytes(encoded_message(n, alpha), 'big'), d, n).to_bytes(256, 'big')
            yield vector('software', n, alpha, pi)


def chip_proofs(alphas):
    n = int.from_bytes(read('vrf.pub')[-256:], 'big')
    for alpha in alphas:
        (WORK / 'em').write_bytes(encoded_message(n, alpha))
        tpm2('rsadecrypt', '-c', VRF, '-s', 'null', '-o', 'pi', 'em')
        yield vector('tpm', n, alpha, read('pi'))


def vector(source, n, alpha, pi):
    return {'source': source, 'modulus': n.to_bytes(256, 'big').hex(), 'alpha': alpha.hex(), 'encodedMessage': encoded_message(n, alpha).hex(),
            'proof': pi.hex(), 'output': hashlib.sha256(b'\x01\x02' + pi).hexdigest()}


def write(name, value):
    (HERE / name).write_text(json.dumps(value, indent=1) + '\n')


tpm = start()
try:
    write('evidence.json', evidence())
    alphas = [b'', b'\0', b'capstan', bytes(range(256)), b'\xff' * 1000]
    write('vrf.json', list(software_proofs(3, alphas)) + list(chip_proofs(alphas)))
finally:
    tpm.terminate()
    tpm.wait()
    shutil.rmtree(WORK)

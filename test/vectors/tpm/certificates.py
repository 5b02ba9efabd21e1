#!/usr/bin/env python3
"""Writes certificates.json: chains to an endorsement key, proper ones and those that must be refused. Needs the Python
package cryptography. Usage: certificates.py"""
import datetime, json, pathlib
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

HERE = pathlib.Path(__file__).parent
EK_USAGE = ObjectIdentifier('2.23.133.8.1')
SERVER_USAGE = ObjectIdentifier('1.3.6.1.5.5.7.3.1')
FROM, UNTIL = datetime.datetime(2026, 1, 1), datetime.datetime(2036, 1, 1)


def rsa_key():
    return rsa.generate_private_key(65537, 2048)


def name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def usage(**set_bits):
    bits = ('digital_signature', 'content_commitment', 'key_encipherment', 'data_encipherment', 'key_agreement', 'key_cert_sign', 'crl_sign',
            'encipher_only', 'decipher_only')
    return x509.KeyUsage(**{bit: set_bits.get(bit, False) for bit in bits})


def chip_names():
    values = [('2.23.133.2.1', 'id:00001014'), ('2.23.133.2.2', 'bench'), ('2.23.133.2.3', 'id:00000001')]
    attributes = [x509.NameAttribute(ObjectIdentifier(oid), value) for oid, value in values]
    return x509.SubjectAlternativeName([x509.DirectoryName(x509.Name(attributes))])


class Authority:
    def __init__(self, common_name, key, issuer=None, authority=True, path=None, cert_sign=True, dates=(FROM, UNTIL), extra=()):
        self.name, self.key = name(common_name), key
        extensions = [(x509.BasicConstraints(authority, path), True), (usage(key_cert_sign=cert_sign, crl_sign=True), True), *extra]
        self.certificate = certificate(issuer or self, self.name, key.public_key(), extensions, dates)


def certificate(issuer, subject, public_key, extensions, dates=(FROM, UNTIL), digest=hashes.SHA256(), pss=False):
    builder = (x509.CertificateBuilder().issuer_name(issuer.name).subject_name(subject).public_key(public_key)
               .serial_number(x509.random_serial_number()).not_valid_before(dates[0]).not_valid_after(dates[1]))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    options = {'rsa_padding': padding.PSS(padding.MGF1(digest), 32)} if pss else {}
    return builder.sign(issuer.key, digest, **options).public_bytes(serialization.Encoding.DER).hex()


def leaf(issuer, key, ca=False, eku=EK_USAGE, extra=(), **options):
    extensions = [(x509.BasicConstraints(ca, None), True), (usage(key_encipherment=True, key_cert_sign=ca), True), (chip_names(), True)]
    if eku:
        extensions.append((x509.ExtendedKeyUsage([eku]), False))
    return certificate(issuer, name('endorsement key'), key.public_key(), [*extensions, *extra], **options)


def main():
    ek, other_key = rsa_key(), rsa_key()
    unknown = x509.UnrecognizedExtension(ObjectIdentifier('1.2.3.4'), b'\x05\x00')
    constraints = x509.NameConstraints([x509.DirectoryName(name('nobody'))], None)
    past = (datetime.datetime(2020, 1, 1), datetime.datetime(2026, 6, 1))
    future = (datetime.datetime(2030, 1, 1), UNTIL)
    root = Authority('root', rsa_key())
    impostor = Authority('root', rsa_key())
    ecc_root = Authority('ecc root', ec.generate_private_key(ec.SECP384R1()))
    expired_root = Authority('expired root', rsa_key(), dates=past)
    middle = Authority('middle', rsa_key(), root, path=0)
    ecc_middle = Authority('ecc middle', ec.generate_private_key(ec.SECP256R1()), ecc_root)
    deep = Authority('deep', rsa_key(), middle)
    not_authority = Authority('not an authority', rsa_key(), root, authority=False)
    no_cert_sign = Authority('no cert sign', rsa_key(), root, cert_sign=False)
    expired_middle = Authority('expired middle', rsa_key(), root, dates=past)
    constrained = Authority('constrained', rsa_key(), root, extra=[(constraints, True)])
    stranger = Authority('stranger', rsa_key())

    cases = {
        'through an intermediate': ('accepted', leaf(middle, ek), [middle]),
        'directly below the root, SHA-384': ('accepted', leaf(root, ek, digest=hashes.SHA384()), []),
        'directly below the root, SHA-512': ('accepted', leaf(root, ek, digest=hashes.SHA512()), []),
        'with ECDSA authorities': ('accepted', leaf(ecc_middle, ek), [ecc_middle]),
        'without an extended key usage': ('accepted', leaf(middle, ek, eku=None), [middle]),
        'with certificates in the chain that do not belong there': ('accepted', leaf(middle, ek), [stranger, ecc_middle, middle]),
        'for another key': ('other-key', leaf(middle, other_key), [middle]),
        'of an authority': ('not-an-endorsement-certificate', leaf(middle, ek, ca=True), [middle]),
        'for servers': ('not-an-endorsement-certificate', leaf(middle, ek, eku=SERVER_USAGE), [middle]),
        'by an unknown authority': ('unknown-authority', leaf(stranger, ek), [stranger]),
        'without its intermediate': ('unknown-authority', leaf(middle, ek), []),
        'by an authority that has only the name of a known one': ('signature-wrong', leaf(impostor, ek), []),
        'by a certificate that is no authority': ('not-an-authority', leaf(not_authority, ek), [not_authority]),
        'by an authority that may not sign certificates': ('not-an-authority', leaf(no_cert_sign, ek), [no_cert_sign]),
        'below more intermediates than an authority allows': ('path-too-long', leaf(deep, ek), [deep, middle]),
        'with an unknown critical extension': ('unknown-critical-extension', leaf(middle, ek, extra=[(unknown, True)]), [middle]),
        'with critical name constraints above it': ('unknown-critical-extension', leaf(constrained, ek), [constrained]),
        'not yet valid': ('not-yet-valid', leaf(middle, ek, dates=future), [middle]),
        'expired': ('expired', leaf(middle, ek, dates=past), [middle]),
        'below an expired intermediate': ('expired', leaf(expired_middle, ek), [expired_middle]),
        'below an expired root': ('expired', leaf(expired_root, ek), []),
        'signed with RSA-PSS': ('malformed', leaf(middle, ek, pss=True), [middle]),
        'with an unknown extension that is not critical': ('accepted', leaf(middle, ek, extra=[(unknown, False)]), [middle]),
    }
    vectors = {
        'modulus': ek.public_key().public_numbers().n.to_bytes(256, 'big').hex(),
        'atMs': int(datetime.datetime(2027, 1, 1, tzinfo=datetime.timezone.utc).timestamp()) * 1000,
        'authorities': [root.certificate, ecc_root.certificate, expired_root.certificate],
        'cases': [{'name': title, 'verdict': verdict, 'certificate': certificate, 'intermediates': [each.certificate for each in chain]}
                  for title, (verdict, certificate, chain) in cases.items()],
    }
    (HERE / 'certificates.json').write_text(json.dumps(vectors, indent=1) + '\n')


main()

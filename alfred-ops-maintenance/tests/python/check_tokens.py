"""PyJWT against our keys: takes a JWK set, a token of ours and the private key; prints a token of its own."""

import json
import sys

import jwt

document, token, private = sys.argv[1:]
keys = jwt.PyJWKSet.from_dict(json.loads(document))
header = jwt.get_unverified_header(token)
key = keys[header["kid"]]
assert key.algorithm_name == header["alg"], (key.algorithm_name, header)
claims = jwt.decode(token, key, algorithms=[header["alg"]], audience="agents")
assert claims["sub"] == "agent", claims

head, body, signature = token.split(".")
changed = ".".join([head, body, ("B" if signature[0] == "A" else "A") + signature[1:]])
try:
    jwt.decode(changed, key, algorithms=[header["alg"]], audience="agents")
except jwt.InvalidSignatureError:
    pass
else:
    raise AssertionError("a changed signature was taken")

print(jwt.encode(claims, private, algorithm=header["alg"], headers={"kid": header["kid"]}))

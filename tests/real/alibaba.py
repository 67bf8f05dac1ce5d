"""Alibaba Cloud's own Python clients at the cloud's own host names, with the credentials that their own chain finds.

alibaba.py python|python-core                         who am I, signed by ACS3-HMAC-SHA256 or by HMAC-SHA1
alibaba.py assume ROLE PROVIDER FILE                  AssumeRoleWithSAML; prints lines for a shell
"""
import json, os, sys

from alibabacloud_sts20150401 import models
from alibabacloud_sts20150401.client import Client
from alibabacloud_tea_openapi.models import Config
from darabonba.runtime import RuntimeOptions

HOST = "sts.aliyuncs.com"
# These clients look for authorities nowhere but where they are told to.
AUTHORITIES = os.environ["SSL_CERT_FILE"]
OPTIONS = RuntimeOptions(ca=AUTHORITIES)


def whoami():
    from alibabacloud_credentials.client import Client as Credentials
    return Client(Config(credential=Credentials(), endpoint=HOST)).get_caller_identity_with_options(OPTIONS).body.to_map()["Arn"]


def whoami_by_the_older_form():
    from alibabacloud_credentials.client import Client as Credentials
    from aliyunsdkcore.auth.credentials import StsTokenCredential
    from aliyunsdkcore.client import AcsClient
    from aliyunsdkcore.request import CommonRequest
    found = Credentials().get_credential()
    keys = StsTokenCredential(found.access_key_id, found.access_key_secret, found.security_token)
    request = CommonRequest(domain=HOST, version="2015-04-01", action_name="GetCallerIdentity")
    request.set_method("POST")
    request.set_protocol_type("https")
    request.set_accept_format("json")
    return json.loads(AcsClient(region_id="cn-hangzhou", credential=keys, verify=AUTHORITIES).do_action_with_exception(request))["Arn"]


def assume(role, provider, file):
    with open(file) as text:
        request = models.AssumeRoleWithSAMLRequest(role_arn=role, samlprovider_arn=provider, samlassertion=text.read())
    keys = Client(Config(endpoint=HOST)).assume_role_with_samlwith_options(request, OPTIONS).body.credentials
    return "\n".join([
        "export ALIBABA_CLOUD_ACCESS_KEY_ID='%s'" % keys.access_key_id,
        "export ALIBABA_CLOUD_ACCESS_KEY_SECRET='%s'" % keys.access_key_secret,
        "export ALIBABA_CLOUD_SECURITY_TOKEN='%s'" % keys.security_token,
    ])


calls = {"python": whoami, "python-core": whoami_by_the_older_form, "assume": assume}
try:
    print(calls[sys.argv[1]](*sys.argv[2:]))
except Exception as error:
    sys.exit("refused: %s" % error)

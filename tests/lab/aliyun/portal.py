"""Who am I, asked of https://sts.aliyuncs.com with the keys that Alibaba's own chain finds: for a profile of CloudSSO it asks the portal."""
import json, os, sys
import certifi

# The library knows no other authorities than these.
certifi.where = lambda: os.environ["SSL_CERT_FILE"]
from alibabacloud_credentials.client import Client as Credentials
from alibabacloud_sts20150401.client import Client
from alibabacloud_tea_openapi.models import Config

try:
    found = Credentials()
    c = found.get_credential()
    r = Client(Config(credential=found, endpoint="sts.aliyuncs.com", protocol="https")).get_caller_identity().body.to_map()
except Exception as e:
    sys.exit("refused: %s" % str(e).splitlines()[0])
print(json.dumps({"provider": c.provider_name, "Arn": r["Arn"]}))

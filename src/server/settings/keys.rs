//! Every key of the configuration, in one list. Reading, error messages and documentation go by it.

/// What every variable begins with.
pub(super) const PREFIX: &str = "SAML2CLOUD_SERVE_";

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What counts where it is not set, for people.
    pub(super) default: &'static str,
    pub(super) help: &'static str,
}

impl Key {
    const fn new(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self { name, default, help }
    }

    /// Its variable.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace(['.', '-'], "_").to_ascii_uppercase())
    }
}

macro_rules! keys {
    ($($name:ident = $key:literal, $default:literal, $help:literal;)+) => {
        $(pub(super) const $name: Key = Key::new($key, $default, $help);)+
        /// Every key, in the order of the documentation.
        pub(super) const KEYS: &[&Key] = &[$(&$name),+];
    };
}

keys! {
    URL = "database.url", "`sqlite:saml2cloud.db`",
        "Where the database is: `sqlite:FILE`, or `postgres://USER@HOST/DATABASE` without a password. A file is made at the first start, for this user alone. A path that does not begin with `/` is below the folder of the configuration file; so are those of all other keys.";
    CONNECTIONS = "database.connections", "`8`",
        "How many connections to the database at the most, 1 to 200.";
    PASSWORD = "database.password_file", "the systemd credential `database_password`, if there is one",
        "The file whose first line is the password for PostgreSQL; `/dev/fd/3` reads it from a file descriptor.";
    TLS = "database.tls", "`verify-full`",
        "How the way to PostgreSQL is protected: `verify-full` wants a certificate for that very host; `off` is taken for a server on this machine only.";
    AUTHORITY = "database.ca_file", "the system's authorities",
        "The file (PEM) with the one authority that may vouch for the PostgreSQL server.";

    PUBLIC_URL = "server.url", "`http://127.0.0.1:8443/`",
        "The address that people and programs use, as they see it: with a load balancer in front, the load balancer's. It ends with `/`, and everything the service says about itself begins with it. `https`, but for `http` on loopback, which is for trying it out.";
    LISTEN = "server.listen", "`127.0.0.1:8443`",
        "The address and port to listen on.";
    CERTIFICATE = "server.certificate_file", "none",
        "The certificate chain (PEM) of the service itself, its own certificate first. With it the service speaks TLS; a changed file counts for the next connection, without a restart. Without it the service speaks plain HTTP, and only on loopback or to the proxies of `server.trusted_proxies`.";
    PRIVATE_KEY = "server.key_file", "none",
        "The private key (PEM) of that certificate.";
    PROXIES = "server.trusted_proxies", "none",
        "Addresses or networks (`10.0.0.0/8`) of the load balancers in front, a list. Only what comes from them may say in `X-Forwarded-For` where it came from.";
    METRICS = "server.metrics_allow", "`127.0.0.0/8`, `::1`",
        "Addresses or networks that may read `/metrics`, a list.";
    ACCESS_LOG = "server.access_log", "`text`",
        "One line on stderr for each request: `text`, `json` or `off`. Never with a query, a cookie, a token or a body.";
    DRAIN = "server.drain_seconds", "`20`",
        "How long requests in flight may take to end after the signal to stop, 0 to 300.";

    IDP_METADATA = "idp.metadata_file", "none",
        "The corporate identity provider's SAML metadata (XML): its entity id and where people are sent. Nobody can sign in without it.";
    IDP_CERTIFICATE = "idp.certificate_file", "none",
        "The certificate or certificates (PEM) whose signatures of that identity provider count. They are pinned here: those in its metadata count for nothing.";
    IDP_GID = "idp.gid_attribute", "the name identifier",
        "The attribute of the assertion that holds the GID. It has exactly one value; blanks around it are cut, ASCII case does not count, and nothing else is done to it.";
    IDP_RESPONSE_SIGNATURE = "idp.response_signature_is_enough", "`false`",
        "Whether an assertion without a signature of its own is taken from a signed response.";
    IDP_SHA1 = "idp.allow_sha1", "`false`",
        "Whether signatures with SHA-1 count. For an old identity provider, until it learns better.";
    IDP_CONTEXTS = "idp.authn_contexts", "any",
        "The authentication contexts (URIs) that are demanded of the identity provider, a list; an answer with another one is refused.";
    IDP_INITIATED = "idp.idp_initiated", "`false`",
        "Whether an assertion that nobody here asked for signs in. It is used once like every other; where to go after is always the first page.";
    IDP_SKEW = "idp.clock_skew_seconds", "`60`",
        "How far the identity provider's clock may be off, 0 to 300.";

    SAML_ENTITY = "saml.entity_id", "`server.url` + `saml/metadata`",
        "The name of this service towards the corporate identity provider.";
    SAML_IDP_ENTITY = "saml.idp_entity_id", "`server.url` + `idp/metadata`",
        "The name of this service towards the clouds, where it is the identity provider.";

    SESSION_STORE = "session.store", "`database`",
        "Where sign-ins are kept: `database` or `redis`. What `limits.*` count is counted there too, and nothing else is ever kept in Redis; without what is in it people sign in again.";
    SESSION_REDIS = "session.redis_url", "none",
        "`rediss://[USER@]HOST[:PORT][/DATABASE]`, without a password; `redis://` is taken for a server on this machine only.";
    SESSION_REDIS_PASSWORD = "session.redis_password_file", "the systemd credential `redis_password`, if there is one",
        "The file whose first line is the password for Redis.";
    SESSION_REDIS_CA = "session.redis_ca_file", "the system's authorities",
        "The file (PEM) with the one authority that may vouch for the Redis server.";
    SESSION_IDLE = "session.idle_minutes", "`30`",
        "How long a sign-in lasts without a request, 1 to 1440 minutes.";
    SESSION_HOURS = "session.hours", "`8`",
        "How long a sign-in lasts at the most, 1 to 24 hours.";
    SESSION_CLI = "session.cli_hours", "`12`",
        "How long a command line stays signed in, 1 to 168 hours.";
    STEP_UP = "session.step_up_minutes", "`0`",
        "How old a sign-in may be for a role of risk `high`, in minutes. Who signed in longer ago is answered 401 `reauth_required`; pages lead to the identity provider, where the person proves anew who they are, and a command line signs in anew. 0 means that the age does not count.";
    VEND_PER_USER = "limits.vend_per_user", "`60`",
        "How many console sign-ins and tokens a person gets a minute at the most.";
    VEND_PER_ACCOUNT = "limits.vend_per_account", "`600`",
        "How many are given for one cloud account a minute at the most. For one of Alibaba Cloud, which takes 100 requests for tokens a second itself, never more than 80 a second are sent, and 20 a second from each process in the long run.";
    PER_ADDRESS = "limits.per_address", "`1200`",
        "How many requests an address may send a minute, to each process.";
    SIGN_IN_PER_ADDRESS = "limits.sign_in_per_address", "`60`",
        "How many requests to sign in an address may send a minute.";

    KEYS_PASSPHRASE = "keys.passphrase_file", "the systemd credential `keys_passphrase`, if there is one",
        "The file whose first line opens the signing keys that are sealed in the database; `/dev/fd/3` reads it from a file descriptor.";
    KEYS_FILE_SIGNER = "keys.allow_file_signer", "`false`",
        "Whether signing keys may be sealed in a PostgreSQL database instead of a KMS. With SQLite they may.";
    KMS_ALIBABA_REGION = "kms.alibaba_region", "none",
        "The region of the keys in Alibaba Cloud's KMS, `cn-hangzhou`.";
    KMS_ALIBABA_ENDPOINT = "kms.alibaba_endpoint", "the region's",
        "The address of Alibaba Cloud's KMS, `https://kms-vpc.cn-hangzhou.aliyuncs.com/` from inside a VPC.";
    KMS_ALIBABA_CREDENTIALS = "kms.alibaba_credentials_file", "`ALIBABA_CLOUD_ACCESS_KEY_ID`, `…_SECRET` and `ALIBABA_CLOUD_SECURITY_TOKEN` of the environment; else the role of the ECS instance",
        "The file with the access key for it, its secret and perhaps a security token, a line each. Only its owner can read it (mode 0600); it is read anew for each signature, so whatever renews it need not tell the service.";
    KMS_AWS_REGION = "kms.aws_region", "the region in the key's ARN",
        "The region of the keys in AWS's KMS.";
    KMS_AWS_ENDPOINT = "kms.aws_endpoint", "the region's",
        "The address of AWS's KMS, for an endpoint inside a VPC.";
    KMS_AWS_CREDENTIALS = "kms.aws_credentials_file", "`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` of the environment; else the role of the EC2 instance",
        "The same file, for AWS.";
    AUDIT_FILE = "audit.file", "none",
        "A file that every event of the audit trail is appended to, a line of JSON each (mode 0600). It may be turned over at any time.";
    AUDIT_SYSLOG = "audit.syslog", "none",
        "The system log that is told every event (RFC 5424): `unix:/dev/log`, `udp://HOST:PORT` or `tcp://HOST:PORT`. None of these says whether it kept what it was sent.";
    AUDIT_WEBHOOK = "audit.webhook_url", "none",
        "An address (`https`, or `http://127.0.0.1:PORT/`) that is posted every event, in order and at least once. Redirects are not followed, and no proxy is used.";
    AUDIT_WEBHOOK_SECRET = "audit.webhook_secret_file", "the systemd credential `audit_webhook_secret`, if there is one",
        "The file whose first line signs what is posted: `X-Saml2cloud-Signature: t=SECONDS,v1=HEX`, where HEX is the HMAC-SHA256 of `SECONDS.BODY`.";
    AUDIT_WEBHOOK_NETWORKS = "audit.webhook_networks", "none",
        "Private addresses or networks that the webhook may have, a list. Without it a name that resolves to one is not called.";
    AUDIT_DAYS = "audit.days", "`400`",
        "For how many days events and lines of the vend ledger are kept, 180 at the least. What goes is replaced by a signed statement, so a signing key of purpose `audit` has to be active.";
    TWO_PERSON = "approval.two_person", "`false`",
        "Whether root owners, preset roles, root-level horizontal roles and signing keys need a second super admin. Roles of risk `high` are handed out only while this is on.";
    VISIBILITY = "users.visibility", "`subtree`",
        "Whom owners see in the pool. `subtree`: people who are at home at or below a node that they own, and beyond that one person at a time by the exact GID. `global`: everybody.";
    BROAD = "horizontal.broad_percent", "`50`",
        "How much of the system roles below its node a naming rule may match, in percent, before it has to be confirmed, 1 to 100. A rule that fits any name has to be confirmed always.";
    PRESETS_GO = "presets.allow_delete", "`false`",
        "Whether super admins may delete preset roles, by repeating the name and giving a reason.";
    ALIBABA_ACS = "cloud.alibaba.acs", "Alibaba Cloud's", "Where console sign-ins of that cloud are posted: the recipient of its assertions.";
    ALIBABA_AUDIENCE = "cloud.alibaba.audience", "Alibaba Cloud's", "The audience of assertions for that cloud.";
    ALIBABA_STS = "cloud.alibaba.sts", "Alibaba Cloud's", "The address of that cloud's STS; command lines that ask it themselves (`client_exchange`) are told it too.";
    ALIBABA_INTL_ACS = "cloud.alibaba-intl.acs", "Alibaba Cloud, international's", "Where console sign-ins of that cloud are posted: the recipient of its assertions.";
    ALIBABA_INTL_AUDIENCE = "cloud.alibaba-intl.audience", "Alibaba Cloud, international's", "The audience of assertions for that cloud.";
    ALIBABA_INTL_STS = "cloud.alibaba-intl.sts", "Alibaba Cloud, international's", "The address of that cloud's STS; command lines that ask it themselves (`client_exchange`) are told it too.";
    AWS_ACS = "cloud.aws.acs", "AWS's", "Where console sign-ins of that cloud are posted: the recipient of its assertions.";
    AWS_AUDIENCE = "cloud.aws.audience", "AWS's", "The audience of assertions for that cloud.";
    AWS_STS = "cloud.aws.sts", "AWS's", "The address of that cloud's STS; command lines that ask it themselves (`client_exchange`) are told it too.";
    AWS_CN_ACS = "cloud.aws-cn.acs", "AWS in China's", "Where console sign-ins of that cloud are posted: the recipient of its assertions.";
    AWS_CN_AUDIENCE = "cloud.aws-cn.audience", "AWS in China's", "The audience of assertions for that cloud.";
    AWS_CN_STS = "cloud.aws-cn.sts", "AWS in China's", "The address of that cloud's STS; command lines that ask it themselves (`client_exchange`) are told it too.";
    AWS_US_GOV_ACS = "cloud.aws-us-gov.acs", "AWS GovCloud's", "Where console sign-ins of that cloud are posted: the recipient of its assertions.";
    AWS_US_GOV_AUDIENCE = "cloud.aws-us-gov.audience", "AWS GovCloud's", "The audience of assertions for that cloud.";
    AWS_US_GOV_STS = "cloud.aws-us-gov.sts", "AWS GovCloud's", "The address of that cloud's STS; command lines that ask it themselves (`client_exchange`) are told it too.";
}

/// The keys that have any number of values.
pub(super) const LISTS: &[&Key] = &[&PROXIES, &METRICS, &IDP_CONTEXTS, &AUDIT_WEBHOOK_NETWORKS];

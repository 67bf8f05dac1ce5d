#!/usr/bin/perl
# Writes the portal's configuration for one run and registers the second factors.
use strict;
use warnings;
use JSON;
use Digest::MD5 qw(md5_hex);
use Lemonldap::NG::Common::Session;

my ( $state, $here, $url, $totp ) = @ENV{qw(LAB_LLNG_STATE LAB_LLNG_HERE LAB_LLNG_URL LAB_TOTP_SECRET)};
my ($host) = $url =~ m{^https?://([^/:]+)};
( my $portal = $url ) =~ s{/*$}{/};

sub slurp { local ( @ARGV, $/ ) = @_; return <> }
sub spew { my ( $file, $text ) = @_; open my $f, '>', $file or die "$file: $!"; print $f $text; close $f or die }

spew "$state/lemonldap-ng.ini", <<"INI";
[all]
logLevel = info
[configuration]
type = File
dirName = $state/conf
localStorage = Cache::FileCache
localStorageOptions = { 'namespace' => 'conf', 'default_expires_in' => 1, 'directory_umask' => '007', 'cache_root' => '$state/cache', 'cache_depth' => 3 }
[portal]
staticPrefix = /static
templateDir = /usr/share/lemonldap-ng/portal/templates
languages = en, fr, de
[handler]
INI

# Roles by user. Several values of one attribute are joined with '; '.
my $aws = sub { my ( $account, $role ) = @_; "arn:aws:iam::$account:role/$role,arn:aws:iam::$account:saml-provider/Lab" };
my $ali = sub { my ( $uid,     $role ) = @_; "acs:ram::$uid:role/$role,acs:ram::$uid:saml-provider/Lab" };
my %aws = (
    dwho   => [ $aws->( '111111111111', 'Admin' ), $aws->( '111111111111', 'ReadOnly' ), $aws->( '222222222222', 'Deploy' ) ],
    rtyler => [ $aws->( '111111111111', 'ReadOnly' ) ],
    msmith => [ $aws->( '222222222222', 'Deploy' ), $aws->( '222222222222', 'Audit' ) ],
);
my %ali = (
    dwho   => [ $ali->( '1000000000000001', 'admin' ), $ali->( '1000000000000002', 'reader' ) ],
    rtyler => [ $ali->( '1000000000000001', 'reader' ) ],
    msmith => [ $ali->( '1000000000000002', 'reader' ) ],
);
my $by_user = sub {
    my %of = @_;
    return join( ' : ', map { "\$uid eq '$_' ? '" . join( '; ', @{ $of{$_} } ) . "'" } sort keys %of ) . " : ''";
};

my $post = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST';
my $sp_xml = sub {
    my ( $entity, $acs ) = @_;
    return qq{<?xml version="1.0"?>\n<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="$entity">}
      . qq{<SPSSODescriptor AuthnRequestsSigned="false" WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">}
      . qq{<AssertionConsumerService index="0" isDefault="true" Binding="$post" Location="$acs"/></SPSSODescriptor></EntityDescriptor>};
};
my %sp = (
    aws     => [ 'urn:amazon:webservices', 'https://signin.aws.amazon.com/saml', 'https://aws.amazon.com/SAML/Attributes/', 'awsRoles', 'mail' ],
    alibaba => [ 'urn:alibaba:cloudcomputing', 'https://signin.aliyun.com/saml-role/sso', 'https://www.aliyun.com/SAML-Role/Attributes/', 'aliRoles', 'uid' ],
);
my $uri = 'urn:oasis:names:tc:SAML:2.0:attrname-format:uri';

my $key = slurp("$state/cert/idp.key");
my $pem = slurp("$state/cert/idp.pem");
my $files = sub {
    return { Directory => "$state/$_[0]", LockDirectory => "$state/$_[0]/lock", generateModule => 'Lemonldap::NG::Common::Apache::Session::Generate::SHA256' };
};

my $conf = {
    cfgNum => 1, cfgAuthor => 'lab', cfgDate => time, cfgVersion => '2.16.1',
    portal => $portal, domain => $host, cookieName => 'lemonldap', securedCookie => ( $portal =~ /^https/ ? 1 : 0 ),
    key => 'lab-only-key-0123456789abcdef',
    authentication => 'Demo', userDB => 'Same', passwordDB => 'Demo', registerDB => 'Null',
    demoExportedVars => { cn => 'cn', mail => 'mail', uid => 'uid' },
    exportedVars => {}, groups => {}, locationRules => { $host => { default => 'accept' } }, exportedHeaders => {},
    whatToTrace => 'uid', timeout => 7200, portalCheckLogins => 0, loginHistoryEnabled => 0,
    macros => { awsRoles => $by_user->(%aws), aliRoles => $by_user->(%ali), lifetime => "'3600'" },
    globalStorage => 'Apache::Session::File', globalStorageOptions => $files->('sessions'),
    persistentStorage => 'Apache::Session::File', persistentStorageOptions => $files->('psessions'),
    localSessionStorage => 'Cache::FileCache',
    localSessionStorageOptions => { namespace => 'sessions', default_expires_in => 600, directory_umask => '007', cache_root => "$state/cache", cache_depth => 3 },
    captcha_login_enabled => 0, captcha_mail_enabled => 0, captcha_register_enabled => 0,
    portalDisplayResetPassword => 0, portalDisplayRegister => 0,
    sameSite => 'Lax', notification => 0, portalSkin => 'bootstrap',
    cspFormAction => '*',

    issuerDBSAMLActivation => 1,
    samlEntityID => '#PORTAL#/saml/metadata',
    samlServicePrivateKeySig => $key, samlServicePublicKeySig => $pem,
    samlServicePrivateKeyEnc => $key, samlServicePublicKeyEnc => $pem,
    samlServiceUseCertificateInResponse => 1,
    samlServiceSignatureMethod => 'RSA_SHA256',
    samlIDPSSODescriptorWantAuthnRequestsSigned => 0,
    samlSPMetaDataXML => { map { $_ => { samlSPMetaDataXML => $sp_xml->( @{ $sp{$_} }[ 0, 1 ] ) } } keys %sp },
    samlSPMetaDataExportedAttributes => {
        map {
            my ( $prefix, $roles, $name ) = @{ $sp{$_} }[ 2, 3, 4 ];
            $_ => { $roles => "0;${prefix}Role;$uri;Role", $name => "0;${prefix}RoleSessionName;$uri;RoleSessionName",
                lifetime => "0;${prefix}SessionDuration;$uri;SessionDuration" }
        } keys %sp
    },
    samlSPMetaDataOptions => {
        map {
            $_ => { samlSPMetaDataOptionsNameIDFormat => 'persistent', samlSPMetaDataOptionsEnableIDPInitiatedURL => 1,
                samlSPMetaDataOptionsSignSSOMessage => 1, samlSPMetaDataOptionsCheckSSOMessageSignature => 0,
                samlSPMetaDataOptionsCheckSLOMessageSignature => 0, samlSPMetaDataOptionsSessionNotOnOrAfterTimeout => 7200,
                samlSPMetaDataOptionsNotOnOrAfterTimeout => 300, samlSPMetaDataOptionsForceUTF8 => 1 }
        } keys %sp
    },

    # dwho: a TOTP; msmith: a choice of a TOTP or a code that lands in a file, as a text message would.
    totp2fActivation => 1, totp2fSelfRegistration => 1, totp2fRange => 1, totp2fEncryptSecret => 0,
    ext2fActivation => "\$uid eq 'msmith'", ext2fCodeActivation => '\\d{6}',
    ext2FSendCommand => "/bin/sh $state/send-code $state/sms \$uid \$code",
};
spew "$state/conf/lmConf-1.json", JSON->new->canonical->pretty->encode($conf);

for my $uid (qw(dwho msmith)) {
    my $s = Lemonldap::NG::Common::Session->new( {
            storageModule => $conf->{persistentStorage}, storageModuleOptions => $conf->{persistentStorageOptions},
            id => md5_hex($uid), force => 1, kind => 'Persistent',
            info => { _session_uid => $uid, _utime => time,
                _2fDevices => JSON->new->encode( [ { type => 'TOTP', name => 'lab', _secret => lc $totp, epoch => time } ] ) },
        } );
    die $s->error if $s->error;
}

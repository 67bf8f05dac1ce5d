<?php
// What the clouds publish of themselves: entity id, assertion consumer service, attributes.
$aws = 'https://aws.amazon.com/SAML/Attributes/';
$ali = 'https://www.aliyun.com/SAML-Role/Attributes/';

$sp = fn(string $acs, string $prefix, array $more = []) => [
    'AssertionConsumerService' => [
        ['index' => 0, 'isDefault' => true, 'Binding' => 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST', 'Location' => $acs],
    ],
    'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    'simplesaml.nameidattribute' => 'uid',
    'saml20.sign.response' => true,
    'saml20.sign.assertion' => true,
    'authproc' => [
        10 => ['class' => 'saml:AttributeNameID', 'attribute' => 'uid',
               'Format' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'],
        50 => ['class' => 'core:AttributeLimit', $prefix . 'Role', $prefix . 'RoleSessionName', $prefix . 'SessionDuration'],
    ] + $more,
];

$metadata['urn:amazon:webservices'] = $sp('https://signin.aws.amazon.com/saml', $aws);
$metadata['urn:amazon:webservices:cn-north-1'] = $sp('https://signin.amazonaws.cn/saml', $aws);
$metadata['urn:alibaba:cloudcomputing'] = $sp('https://signin.aliyun.com/saml-role/sso', $ali);
$metadata['urn:alibaba:cloudcomputing:international'] = $sp('https://signin.alibabacloud.com/saml-role/sso', $ali);
// The same AWS response behind one more page that asks for consent.
$metadata['urn:lab:consent'] = ['audience' => ['urn:amazon:webservices']]
    + $sp('https://signin.aws.amazon.com/saml', $aws, [60 => ['class' => 'consent:Consent']]);

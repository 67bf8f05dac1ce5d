<?php
$metadata['__DYNAMIC:1__'] = [
    'host' => '__DEFAULT__',
    'privatekey' => 'idp.key',
    'certificate' => 'idp.pem',
    'auth' => getenv('LAB_SSP_AUTH') ?: 'lab-users',
    // Services with metadata sign what they ask; the clouds ask nothing.
    'validate.authnrequest' => (bool)getenv('LAB_SSP_SERVICE'),
    'redirect.validate' => (bool)getenv('LAB_SSP_SERVICE'),
    'saml20.sign.assertion' => true,
    'authproc' => [5 => ['class' => 'saml:AttributeNameID', 'attribute' => 'uid', 'Format' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent']],
    'attributes.NameFormat' => 'urn:oasis:names:tc:SAML:2.0:attrname-format:uri',
];

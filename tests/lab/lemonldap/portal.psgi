# The portal as one Plack application: its static files and itself.
use strict;
use warnings;
use Plack::Builder;
use Plack::App::File;
use Lemonldap::NG::Portal::Main;

my $static = Plack::App::File->new( root => '/usr/share/lemonldap-ng/portal/htdocs/static' )->to_app;
my $portal = Lemonldap::NG::Portal::Main->run( {} );

builder {
    mount '/static' => $static;
    mount '/javascript' => Plack::App::File->new( root => '/usr/share/javascript' )->to_app;
    mount '/'       => $portal;
};

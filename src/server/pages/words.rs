//! Every text of the pages, in both languages. A text that one of them lacks does not compile.

use crate::server::guard::Tongue;
use crate::server::problem::Code;

macro_rules! words {
    ($($name:ident: $english:literal, $chinese:literal;)+) => {
        /// The texts of the pages in one language.
        #[derive(Debug)]
        #[allow(missing_docs)]
        pub(super) struct Words {
            pub(super) lang: &'static str,
            pub(super) is_chinese: bool,
            $(pub(super) $name: &'static str,)+
        }

        static ENGLISH: Words = Words { lang: "en", is_chinese: false, $($name: $english,)+ };
        static CHINESE: Words = Words { lang: "zh-CN", is_chinese: true, $($name: $chinese,)+ };
    };
}

words! {
    product: "Cloud access", "云访问管理";
    skip: "Skip to the content", "跳到正文";
    my_roles: "My roles", "我的角色";
    command_lines: "Command lines", "命令行登录";
    menu: "Account menu", "账户菜单";
    sign_out: "Sign out", "退出登录";
    signed_in_as: "Signed in as", "当前用户";

    roles_lead: "The cloud roles that you may use. Sign in to a console with one, or get a token that lasts for a short time.", "您可以使用的云角色。可用角色登录控制台，或获取短期有效的令牌。";
    search: "Search", "搜索";
    search_hint: "Account, number or role", "账号名称、账号 UID 或角色";
    alibaba: "Alibaba Cloud", "阿里云";
    aws: "AWS", "AWS";
    all_clouds: "All clouds", "全部云";
    console: "Sign in", "登录控制台";
    console_hint: "Opens the console in a new window", "在新窗口中打开控制台";
    token: "Get token", "获取令牌";
    by: "by", "来源：";
    account: "Account", "账号";
    next_page: "Next page", "下一页";
    first_page: "First page", "首页";
    no_roles: "You have no roles yet.", "您还没有任何角色。";
    no_roles_how: "The owner of a cloud account gives you one; tell them your GID", "请联系云账号的负责人为您授权，并告知您的 GID";
    nothing_found: "Nothing here matches.", "没有匹配的角色。";
    show_all: "Show all roles", "显示全部角色";

    token_title: "Get a token", "获取令牌";
    token_lead: "An access key that ends by itself. Nothing of it is kept here: when you leave this page it is gone.", "自动失效的临时访问密钥。本系统不会保存它：离开本页后即不可再查看。";
    token_by_client: "The keys of this account are fetched by the command line only (saml2cloud); signing in to its console works here.", "该账号的密钥只能通过命令行 (saml2cloud) 获取；控制台登录可照常使用。";
    role: "Role", "角色";
    role_arn: "Role ARN", "角色 ARN";
    lasts: "Lasts for", "有效时长";
    minutes_15: "15 minutes", "15 分钟";
    minutes_30: "30 minutes", "30 分钟";
    hour_1: "1 hour", "1 小时";
    hours_2: "2 hours", "2 小时";
    hours_4: "4 hours", "4 小时";
    hours_8: "8 hours", "8 小时";
    hours_12: "12 hours", "12 小时";
    reason: "Reason", "用途说明";
    reason_hint: "Optional; it stands in the audit trail", "选填，将记入操作审计";
    format: "As", "格式";
    format_shell: "Shell", "Shell 环境变量";
    format_powershell: "PowerShell", "PowerShell";
    format_profile_aws: "~/.aws/credentials", "~/.aws/credentials";
    format_profile_alibaba: "~/.aliyun/config.json", "~/.aliyun/config.json";
    format_process: "credential_process", "credential_process";
    format_json: "JSON", "JSON";
    get: "Get token", "获取令牌";
    download: "Download", "下载";
    copy: "Copy", "复制";
    copied: "Copied", "已复制";
    reveal: "Show", "显示";
    hide: "Hide", "隐藏";
    key_id: "Access key ID", "AccessKey ID";
    secret: "Secret access key", "AccessKey Secret";
    session_token: "Session token", "安全令牌 (STS Token)";
    ends_in: "Ends in", "剩余有效时间";
    has_ended: "This token has ended.", "该令牌已失效。";
    another: "Another token", "再获取一个";
    back_to_roles: "Back to my roles", "返回我的角色";
    failed: "That did not work.", "操作失败。";
    sign_in_again: "Sign in again", "重新登录";

    posting_title: "To the console", "正在前往控制台";
    posting_lead: "You are being signed in to the console of", "正在登录控制台：";
    go_on: "Go on", "继续";

    logins_title: "Command lines", "命令行登录";
    logins_lead: "Programs that are signed in as you. Sign out those that you do not know.", "以您的身份登录的命令行程序。如有不认识的，请将其退出。";
    no_logins: "No command line is signed in.", "目前没有命令行登录。";
    machine: "Machine", "设备";
    from: "From", "来源地址";
    since: "Since", "登录时间";
    last_used: "Last used", "最近使用";
    ends: "Ends", "失效时间";
    revoke: "Sign out", "退出";
    never: "not yet", "尚未使用";

    authorize_title: "Let a command line in?", "允许命令行登录？";
    authorize_lead: "A program on this computer wants to sign in as you. It will be able to do what you can do, until it is signed out or its time is over.", "本机上的一个程序请求以您的身份登录。在退出或到期之前，它可以使用您的全部权限。";
    authorize_check: "Allow it only if you have just started it yourself.", "仅当您刚刚亲自启动了该程序时才允许。";
    answer_goes_to: "The answer goes to", "结果将发送到";
    allow: "Allow", "允许";
    deny: "Refuse", "拒绝";

    device_title: "Sign in a command line", "登录命令行";
    device_lead: "Type the code that the command line shows.", "请输入命令行显示的代码。";
    device_code: "Code", "代码";
    device_wrong: "There is no such code, or it is too old. Look once more; five wrong codes and you have to wait.", "代码不存在或已过期。请核对后重试；连续输错五次需要等待。";
    device_ask: "A command line on another computer wants to sign in as you", "另一台设备上的命令行请求以您的身份登录";
    device_warn: "If somebody sent you this code, refuse: they would be signed in as you.", "如果代码是别人发给您的，请拒绝：否则对方将以您的身份登录。";
    device_name: "Calls itself", "设备自称";
    device_from: "Comes from", "来源地址";
    device_allowed: "It is signed in. You may close this window.", "登录成功，可以关闭此窗口。";
    device_denied: "It was refused. You may close this window.", "已拒绝，可以关闭此窗口。";

    signed_out_title: "You are signed out", "您已退出登录";
    signed_out_lead: "Cloud consoles and tokens that you have opened go on until they end by themselves.", "已打开的云控制台和已获取的令牌在到期前仍然有效。";
    sign_out_there: "Sign out at the company's identity provider too", "同时退出企业身份提供商";
    sign_in: "Sign in", "登录";

    not_in_pool_title: "You are not in the pool", "您不在用户池中";
    not_in_pool_lead: "Your company knows you, but nobody has entered you here. Ask the owner of a cloud account to add this GID:", "企业身份认证已通过，但您尚未被录入本系统。请联系云账号的负责人添加以下 GID：";
    error_title: "That did not work", "操作未成功";
    not_found_title: "There is nothing here", "页面不存在";
    not_found_lead: "This page is not there, or it is not for you to see.", "该页面不存在，或您无权查看。";
    request: "Request", "请求编号";
    tell_request: "Whoever runs this service finds what happened by this number.", "管理员可凭此编号查找原因。";
}

/// The texts in a language.
pub(super) fn words(tongue: Tongue) -> &'static Words {
    match tongue {
        Tongue::English => &ENGLISH,
        Tongue::Chinese => &CHINESE,
    }
}

/// What a code means, for a person.
pub(super) fn said(tongue: Tongue, code: Code) -> &'static str {
    if tongue == Tongue::English {
        return code.title();
    }
    match code {
        Code::ValidationFailed => "提交的内容不符合要求",
        Code::Unauthenticated => "尚未登录",
        Code::ReauthRequired => "此操作需要重新登录",
        Code::SignInFailed => "登录未成功",
        Code::Forbidden => "不允许此操作",
        Code::CsrfFailed => "该请求不是由本系统页面发出的",
        Code::PresetProtected => "预置项只能由超级管理员修改",
        Code::NotInPool => "此人不在用户池中",
        Code::SelfApproval => "不能审批自己提交的申请",
        Code::NotFound => "没有找到",
        Code::MethodNotAllowed => "该地址不支持此请求方式",
        Code::GidTaken => "该 GID 已存在",
        Code::AliasTaken => "该别名已被使用",
        Code::NameTaken => "该名称已被使用",
        Code::AccountUidTaken => "该云账号已被纳管",
        Code::LastOwner => "每个结点至少保留一名可用的负责人",
        Code::UserReferenced => "此人仍被引用",
        Code::RoleReferenced => "该角色仍被引用",
        Code::NodeNotEmpty => "该结点不为空",
        Code::OneToOne => "角色与用户组必须一对一",
        Code::IdempotencyConflict => "该幂等键已用于其他请求",
        Code::AlreadyDecided => "该申请已有结论",
        Code::VersionMismatch => "内容已被他人修改",
        Code::TooLarge => "请求过长",
        Code::UnsupportedMedia => "不支持该内容类型",
        Code::WrongHost => "这不是本系统的域名",
        Code::GidImmutable => "GID 创建后不可修改",
        Code::PatternInvalid => "匹配规则无效",
        Code::PatternTooBroad => "匹配范围过大，需要确认",
        Code::NameReserved => "该名称为保留名称",
        Code::TreeShape => "结点树不允许这样的结构",
        Code::WindowTooShort => "剩余授权时间过短",
        Code::NotVended => "该角色不能从这里获取",
        Code::ConsentRequired => "需要另一人同意",
        Code::ProviderMissing => "该账号尚未登记本系统为身份提供商",
        Code::ClientExchange => "该账号的密钥由命令行直接获取",
        Code::VersionRequired => "修改时必须注明所依据的版本",
        Code::RateLimited => "请求过于频繁，请稍后再试",
        Code::Internal => "系统内部错误",
        Code::CloudError => "云服务商拒绝了请求或没有响应",
        Code::KmsUnavailable => "签名密钥暂时无法使用",
        Code::StoreUnavailable => "数据库暂时无法使用",
        Code::SessionsUnavailable => "暂时无法验证登录状态",
        Code::AuditUnavailable => "操作审计暂时无法写入，因此不执行任何操作",
        Code::NoIdentityProvider => "尚未配置企业身份提供商",
    }
}

// What column names mean: in a table of those that products and people write, in English, German, French, Spanish,
// Turkish, Dutch, Italian and Portuguese. A name that is not in it may be one with a word more (“Business Street 2”,
// “Telefon privat”): words that say of which number, address or person are taken off, and the rest is looked up.
import { isCurrency } from './numbers.ts';
import type { ColumnTarget, DateOrder, TargetField } from './mapping.ts';
import { foldWords } from './text.ts';

/**
 * Beside the fields, what only the other columns can decide: NAME is a last name beside a first name, GIVEN_NAME a first
 * name beside a last name, and both are whole names alone; ADDRESS is a street beside a city; TITLE is a salutation in
 * what Outlook writes, and a job title elsewhere; DEGREE, its like in other languages, is a job title where its cells are. OTHER is known, and not imported.
 */
export type Meaning = TargetField | 'NAME' | 'GIVEN_NAME' | 'ADDRESS' | 'TITLE' | 'DEGREE' | 'PHONE_MOBILE' | 'PHONE_FAX' | 'OTHER';

const table: Partial<Record<Meaning, string>> = {
  FIRST_NAME: `First Name|Firstname|Given Name|Forename|Christian Name|FNAME|Vorname|Vornamen|Rufname|Prénom|Prénoms|Nombre de pila|Primer nombre|Adı|
    Ön Ad|Ön İsim|Voornaam|Roepnaam|Primeiro nome|Nome próprio|Nome de batismo|First|Name First|Prénom usuel|Vorname(n)`,
  MIDDLE_NAME: `Middle Name|Middle Names|Middle Initial|Additional Name|Second Name|Weitere Vornamen|Zweiter Vorname|2. Vorname|Deuxième prénom|Autres prénoms|
    Segundo nombre|İkinci Ad|Orta Ad|Tweede voornaam|Secondo nome|Nome do meio|Segundo nome|Middle|Name Middle`,
  LAST_NAME: `Last Name|Lastname|Surname|Family Name|LNAME|Nachname|Familienname|Zuname|Nom de famille|Nom usuel|Apellido|Apellidos|Primer apellido|Soyad|Soyadı|
    Soy İsim|Soyisim|Achternaam|Familienaam|Cognome|Sobrenome|Apelido|Último nome|Last|Name Last|Nom d'usage|Nachname(n)|Name Family`,
  NAME_SUFFIX: `Suffix|Name Suffix|Namenszusatz|Suffixe|Sufijo|Sonek|Achtervoegsel|Suffisso|Sufixo|Name Suffix Jr`,
  FULL_NAME: `Full Name|Fullname|Complete Name|Display Name|Contact Name|Member Name|Person|First and Last Name|First Last Name|First Name Last Name|Name Surname|
    Vor- und Nachname|Vorname Nachname|Vorname und Nachname|Vorname, Nachname|Vollständiger Name|
    Voller Name|Anzeigename|Kontaktname|Mitgliedsname|Nom complet|Prénom Nom|Prénom et nom|Nom du contact|Nom affiché|
    Nombre completo|Nombre y apellidos|Nombre y apellido|Nombres y apellidos|Nombre Apellidos|
    Adı Soyadı|Ad Soyad|Ad Soyadı|İsim Soyisim|İsim Soyad|Adınız Soyadınız|Ad ve Soyad|Tam Ad|
    Volledige naam|Voor- en achternaam|Voornaam achternaam|Nome completo|Nome e cognome|Nome cognome|Nome e sobrenome`,
  FULL_NAME_LAST_FIRST: `Last Name First Name|Last First Name|Last and First Name|Surname Name|Name Vorname|Name und Vorname|Nachname Vorname|Nachname und Vorname|Nom Prénom|Nom et prénom|Apellidos y nombre|Apellido y nombre|
    Apellidos Nombre|Soyad Ad|Soyadı Adı|Achternaam voornaam|Cognome e nome|Cognome nome`,
  NAME: 'Name|Names|Nom|Naam',
  GIVEN_NAME: 'Nombre|Nome|Ad|İsim|İsmi',
  TITLE: 'Title',
  DEGREE: 'Titel|Titre|Título|Titolo',
  EMAIL: `Email|Emails|E-mail|Mail|Email Address|E-mail Address|Mail Address|Email ID|Email Addresses|E-Mail-Adresse|Mailadresse|E-Mail Adressen|Emailadresse|Courriel|Mél|Mel|
    Adresse e-mail|Adresse mail|Adresse email|Adresse électronique|Adresse courriel|Adresse de messagerie|Messagerie|
    Correo|Correo electrónico|Correo-e|Dirección de correo electrónico|Dirección del correo electrónico|Dirección de correo|Dirección email|
    E-posta|Eposta|E-posta Adresi|Mail Adresi|Email Adresi|Elektronik Posta|E-mailadres|Emailadres|Mailadres|E-mailadressen|
    Indirizzo e-mail|Indirizzo email|Posta elettronica|Endereço de e-mail|Endereço de email|Correio eletrônico|Correio eletrónico`,
  PHONE_MOBILE: `Mobile|Mobile Phone|Mobile Number|Mobile No|Cell|Cell Phone|Cellphone|Cell Number|Cellular|Mobile Telephone|Phone Mobile|Phone Cell|SMS|SMS Phone Number|WhatsApp|WhatsApp Number|WhatsApp Phone Number|
    Mobil|Mobiltelefon|Mobilnummer|Mobiltelefonnummer|Handy|Handynummer|Handy-Nr|Mobil-Nr|Mobilfunk|Mobilfunknummer|Telefon mobil|Tel. mobil|Telefon Handy|Natel|
    Portable|Mobile perso|Téléphone portable|Téléphone mobile|Tél. mobile|Tél. portable|Numéro de portable|Numéro de mobile|GSM|
    Móvil|Teléfono móvil|Tel. móvil|Número de móvil|Celular|Teléfono celular|Número celular|Cep|Cep Telefonu|Cep Tel|Cep No|Cep Numarası|Mobil Telefon|GSM No|
    Mobiel|Mobiele telefoon|Mobiel nummer|Telefoon mobiel|06-nummer|Cellulare|Telefono cellulare|Telefonino|Numero di cellulare|Telemóvel|Telefone celular|Telefone móvel|Mobile Phone Number|Cell Phone Number|Mobile Telefonnummer|Mobilrufnummer|Handy/Mobil|Telefon (mobil)`,
  PHONE: `Phone|Phones|Phone Number|Phone Numbers|Phone No|Telephone|Telephone Number|Telephone No|Tel|Tel No|Tel Nr|Contact Number|Landline|Telefon|Telefonnummer|Telefonnr|Rufnummer|Festnetz|
    Festnetznummer|Telefon Festnetz|Haupttelefon|Téléphone|Tél|Numéro de téléphone|N° de téléphone|N° téléphone|Téléphone fixe|Tél. fixe|Fixe|Téléphone principal|
    Teléfono|Teléfonos|Tfno|Número de teléfono|Teléfono fijo|Teléfono principal|Telefon Numarası|Telefon No|Sabit Telefon|
    Telefoon|Telefoonnummer|Telefoonnr|Vaste telefoon|Telefono|Numero di telefono|Telefono fisso|Telefone|Número de telefone|Telefone fixo|Pager|Autotelefon|Telefonu`,
  PHONE_FAX: `Fax|Fax Number|Fax No|Telefax|Faxnummer|Facsimile|Télécopie|Télécopieur|Faks|Faks No|Numéro de fax|Número de fax`,
  STREET: `Street|Streets|Street Address|Street Name|Street Line|Address Line|Street and Number|Address Street|Extended Address|PO Box|P.O. Box|Post Office Box|Address PO Box|Apt|Apartment|Suite|Unit|House Number|
    Straße|Strasse|Str|Straße + Nr.|Straße und Hausnummer|Straße Hausnummer|Straße, Hausnr.|Straße/Nr|Straße & Hausnummer|Strasse Nr.|Straße und Nr|Hausnummer|Hausnr|Haus-Nr|Straßenanschrift|
    Adresszusatz|Adreßzusatz|Anschriftenzusatz|Adresszeile|Postfach|Rue|N° et rue|Numéro et rue|Rue et numéro|Numéro de rue|Nom de rue|Voie|Adresse ligne|Ligne d'adresse|Complément d'adresse|Complément adresse|Boîte postale|
    Calle|Calle y número|Dirección postal|Domicilio|Línea de dirección|Complemento de dirección|Apartado de correos|Apdo. de correos|Sokak|Cadde|Cadde Sokak|Sokak Adı|Adres Satırı|Posta Kutusu|
    Straat|Straat en huisnummer|Straatnaam|Huisnummer|Straat + nr|Postbus|Via|Via e numero|Indirizzo via|Numero civico|Casella postale|Rua|Logradouro|Morada|Rua e número|Caixa postal|Street & Nr|Straße & Hausnr|Line|Street Nr|Hausnr. Zusatz|Address Street Address`,
  CITY: `City|Town|City/Town|Town/City|Locality|Place|Suburb|Ort|Stadt|Wohnort|Gemeinde|Ort/Stadt|Ville|Commune|Localité|Ciudad|Población|Localidad|Municipio|Şehir|Il|Kent|
    Plaats|Woonplaats|Stad|Città|Comune|Località|Cidade|Localidade|Município`,
  REGION: `State|State/Province|State or Province|State/Region|State / County|Province|Region|County|Prefecture|State Code|Bundesland|Bundesland/Kanton|Kanton|Landkreis|Bundesstaat|
    Région|Département|Dép/Région|Province/État|État|Provincia|Provincia o estado|Estado|Estado o provincia|Comunidad autónoma|Región|İlçe|Bölge|Eyalet|Provincie|Regione|Distrito|Estado/Província|State/Province (text only)|State/Province Code`,
  POSTAL_CODE: `Postal Code|Postcode|Post Code|Postal|ZIP|ZIP Code|Zipcode|ZIP/Postal Code|Postal/ZIP Code|ZIP or Postal Code|Postal Code/ZIP|PLZ|Postleitzahl|Code postal|CP|C.P.|Código postal|Cód. postal|Código ZIP|
    Posta Kodu|PK|CAP|Codice postale|Codice di avviamento postale|CEP|Código de endereçamento postal|Zip/Postal|Zip Postal Code`,
  POSTAL_CODE_AND_CITY: `PLZ/Ort|PLZ Ort|PLZ und Ort|PLZ, Ort|PLZ + Ort|PLZ Wohnort|Postleitzahl und Ort|Postleitzahl/Ort|Postleitzahl Ort|ZIP/City|ZIP City|ZIP and City|Postal Code and City|Postcode and City|CP Ville|CP et ville|CP/Ville|
    Code postal et ville|Code postal ville|CP Ciudad|Código postal y ciudad|CP Población|CP y población|Postcode en plaats|Postcode plaats|Postcode Woonplaats|CAP e città|CAP città`,
  COUNTRY: `Country|Country/Region|Country Code|Country Name|Nation|Land|Land/Region|Ländercode|Länderkürzel|Staat|Pays|Pays/Région|Code pays|País|País o región|País/Región|País/Región|Ülke|Ülke/Bölge|Paese|Paese/Regione|Nazione|País/Região`,
  FULL_ADDRESS: `Full Address|Complete Address|Formatted Address|Address Formatted|Anschrift|Vollständige Adresse|Volle Adresse|Adresse complète|Dirección completa|Tam Adres|Volledig adres|Indirizzo completo|Endereço completo`,
  ADDRESS: `Address|Addresses|Adresse|Postanschrift|Mailing Address|Postal Address|Dirección|Adres|Adresi|Açık Adres|Indirizzo|Endereço|Adresse postale`,
  WEBSITE: `Website|Websites|Web Site|Web Page|Webpage|Homepage|Home Page|URL|Web|Web Address|Internet|Webseite|Internetseite|Internetadresse|Personal Web Page|Site web|Site internet|Page web|Sitio web|Página web|
    Página de internet|Web Sitesi|İnternet Sitesi|İnternet Adresi|Sito web|Sito internet|Pagina web|Website URL|Site|LinkedIn|LinkedIn URL|LinkedIn Profile|Facebook|Twitter|Instagram|Blog|LinkedIn profile URL|Linkedin|Linkedin URL|Linkedin profile URL|Social Profile`,
  BIRTH_DATE: `Birth Date|Birthdate|Birthday|Date of Birth|DOB|D.O.B.|Date Born|Birth Day|Geburtsdatum|Geburtstag|Geb. Datum|Geb.-Datum|Geb.|Geboren|Geboren am|Geb. am|Date de naissance|Naissance|Né le|Née le|Né(e) le|Anniversaire|
    Fecha de nacimiento|Fecha nacimiento|F. nacimiento|Fec. nacimiento|Cumpleaños|Nacimiento|Doğum Tarihi|Doğum Günü|Geboortedatum|Verjaardag|Data di nascita|Compleanno|Data de nascimento|Aniversário|Nascimento`,
  MEMBER_NUMBER: `Member No|Member Number|Member Nr|Member ID|Membership Number|Membership No|Membership ID|Member Code|Mitgliedsnummer|Mitglieds-Nr|Mitgliedsnr|Mitglied-Nr|Mitgliedernummer|Mitglied Nr|Mitglieder-Nr|Mitgliedsnummer (Verein)|Mitgliedsnr. Verein|
    Numéro de membre|Numéro d’adhérent|N° adhérent|N° d'adhérent|Numéro adhérent|N° de membre|No adhérent|Numéro de licence|N° de licence|N° licence|Numéro de carte|Número de socio|Nº de socio|N° socio|Nº socio|Num. socio|Número de miembro|Número de asociado|
    Üye No|Üye Numarası|Üyelik No|Üyelik Numarası|Lidnummer|Lidnr|Lid-nr|Relatienummer|Numero socio|Numero di socio|Numero tessera|N. tessera|Tessera|Número de sócio|Nº de sócio|Mitgl.Nr.|Mitgl-Nr|Mitglieds ID|Membership Card Number|ID adhérent|ID membre|Member #|Membership #`,
  COMPANY: `Company|Company Name|Companies|Organization|Organisation|Organization Name|Organisation Name|Business Name|Employer|Account Name|Account|Primary Company|Associated Company|Primary Associated Company|Company / Account|Workplace|Institution|Firm|
    Firma|Firmenname|Unternehmen|Arbeitgeber|Firma/Organisation|Firma/Institution|Organisation/Firma|Verein/Firma|Entreprise|Société|Nom de l'entreprise|Nom de la société|Raison sociale|Organisme|Employeur|
    Empresa|Compañía|Organización|Nombre de la empresa|Razón social|Şirket|Şirket Adı|Firma Adı|Kurum|Kuruluş|İşyeri|Bedrijf|Bedrijfsnaam|Organisatie|Azienda|Società|Ragione sociale|Organizzazione|Organização|Nome da empresa|Employer Name|Firma/Verein|Organization Legal Name|Accountname|Nom du compte|Nombre de la cuenta|Nombre de cuenta`,
  JOB_TITLE: `Job Title|Jobtitle|Position|Organization Title|Role|Job|Job Position|Job Role|Profession|Occupation|Current Position|Professional Title|Berufsbezeichnung|Beruf|Stellung|Funktion|Position im Unternehmen|Jobtitel|Tätigkeit|
    Fonction|Poste|Titre du poste|Intitulé du poste|Titre (Fonction)|Métier|Cargo|Puesto|Puesto de trabajo|Profesión|Título profesional|Ocupación|Unvan|Ünvan|Pozisyon|Görev|Görevi|Meslek|Mesleği|İş Unvanı|Functie|Beroep|Funzione|Professione|Qualifica|Posizione|Profissão|Função`,
  TAGS: `Tags|Tag|Labels|Label|Categories|Category|Groups|Group|Group Membership|Group Memberships|Group Participation|Member Groups|Keywords|Segments|Lists|Interests|Schlagwörter|Stichwörter|Kategorien|Kategorie|Gruppen|Gruppe|Mitgliedsgruppen|Abteilungen|Étiquettes|Étiquette|Catégories|Catégorie|
    Groupes|Groupe|Mots-clés|Etiquetas|Etiqueta|Categorías|Categoría|Grupos|Grupo|Etiketler|Etiket|Kategoriler|Kategori|Gruplar|Grup|Labels en groepen|Categorieën|Groepen|Etichette|Categorie|Gruppi|Categorias`,
  NOTE: `Notes|Note|Comments|Comment|Remarks|Remark|Description|Internal Notes|Member Notes|LinkedIn Bio|Additional Information|Notizen|Notiz|Bemerkung|Bemerkungen|Anmerkung|Anmerkungen|Kommentar|Kommentare|Hinweis|Hinweise|Remarque|Remarques|Commentaire|Commentaires|
    Observation|Observations|Notas|Nota|Observaciones|Comentarios|Comentario|Notlar|Not|Açıklama|Açıklamalar|Yorum|Notities|Notitie|Opmerkingen|Opmerking|Osservazioni|Commenti|Observações|Comentários`,
  MEMBERSHIP_PLAN: `Membership Plan|Membership Type|Membership Level|Membership|Membership Name|Membership Tier|Membership Category|Membership Class|Member Type|Member Level|Member Category|Plan|Plan Name|Subscription Plan|Current Membership|
    Mitgliedschaft|Mitgliedsart|Mitgliedschaftsart|Mitgliedstyp|Mitgliedschaftstyp|Mitgliederart|Art der Mitgliedschaft|Mitgliedskategorie|Beitragsgruppe|Beitragsart|Beitragsklasse|Tarif|Type d’adhésion|Formule d’adhésion|Formule|Type d'adhérent|Type de membre|Adhésion|Catégorie d'adhérent|Type d'abonnement|
    Tipo de membresía|Membresía|Tipo de socio|Tipo de cuota|Plan de membresía|Categoría de socio|Üyelik Türü|Üyelik Planı|Üyelik Tipi|Üyelik|Üye Tipi|Üye Türü|Lidmaatschap|Lidmaatschapstype|Soort lidmaatschap|Type lid|Tipo di socio|Tipo socio|Tipo tessera|Tipo iscrizione|Quota associativa|Tipo de sócio|Plano|Member Type Code|Membership Plan Name|Current Plan|Membership Product`,
  MEMBERSHIP_START: `Membership Start|Membership Start Date|Start|Start Date|Membership Started|Member Since|Joined|Join Date|Date Joined|Joined On|Membership Since|Member Start Date|Membership Begin|Membership Begin Date|Original Join Date|Valid From|
    Mitglied seit|Eintritt|Eintrittsdatum|Eintritt am|Beitritt|Beitrittsdatum|Mitgliedschaft seit|Mitgliedschaft ab|Mitgliedschaft Beginn|Mitgliedsbeginn|Beginn|Gültig ab|Mitgliedschaft von|Début d’adhésion|Date d’adhésion|Date de début|Date de début d'adhésion|Début|Membre depuis|Adhérent depuis|Date d'inscription|Date d'entrée|
    Inicio de membresía|Fecha de alta|Fecha de inicio|Alta|Inicio|Socio desde|Miembro desde|Fecha de ingreso|Fecha de inscripción|Üyelik Başlangıcı|Üyelik Başlangıç Tarihi|Başlangıç|Başlangıç Tarihi|Üyelik Tarihi|Kayıt Tarihi|Giriş Tarihi|Lid sinds|Startdatum|Ingangsdatum|Lid vanaf|Inschrijfdatum|Data iscrizione|Data di iscrizione|Socio dal|Inizio|Data inizio|Data de adesão|Sócio desde|Data de início|Date Member Signup|Member From|Date of Joining|Joining Date|Enrollment Date`,
  MEMBERSHIP_END: `Membership Expiry|Membership Expiry Date|Membership Expires|Membership Expiration|Membership Expiration Date|Membership End|Membership End Date|Membership Ends|End|End Date|Expiry|Expiry Date|Expires|Expires On|Expiration|Expiration Date|Date Expired|Expire Date|Renewal Due|Renewal Date|Renewal Due Date|Valid Until|Valid To|Valid Through|Paid Through|Paid Until|Member Until|
    Mitglied bis|Austritt|Austrittsdatum|Austritt am|Ende|Mitgliedschaft bis|Mitgliedschaft Ende|Mitgliedschaftsende|Mitgliedsende|Gültig bis|Ablaufdatum|Läuft ab|Kündigung zum|Fin d’adhésion|Date de fin|Date de fin d'adhésion|Fin|Date d'expiration|Expiration de l'adhésion|Valable jusqu'au|Date de sortie|
    Fin de membresía|Fecha de baja|Fecha de fin|Baja|Vencimiento|Fecha de vencimiento|Fecha de caducidad|Fecha de expiración|Válido hasta|Üyelik Bitişi|Üyelik Bitiş Tarihi|Bitiş|Bitiş Tarihi|Geçerlilik Tarihi|Son Tarih|Lid tot|Einddatum|Vervaldatum|Uitschrijfdatum|Scadenza|Data scadenza|Data di scadenza|Fine|Data fine|Validade|Data de validade|Data de fim|Resignation Date|Expires At|Date of Expiry|Membership Valid Until|Membership Expires On`,
  OPENING_BALANCE: `Balance|Opening Balance|Account Balance|Current Balance|Member Balance|Credit Balance|Starting Balance|Saldo|Anfangssaldo|Eröffnungssaldo|Kontostand|Guthaben|Solde|Solde initial|Solde d'ouverture|Solde du compte|Saldo inicial|Saldo de apertura|Bakiye|Açılış Bakiyesi|Hesap Bakiyesi|Beginsaldo|Openingssaldo|Saldo iniziale|Saldo di apertura`,
  AMOUNT_DUE: `Amount Due|Balance Due|Amount Owed|Amount Owing|Outstanding|Outstanding Balance|Outstanding Amount|Total Due|Open Balance|Total Owed|Dues Owed|Offen|Offener Betrag|Offene Posten|Offene Forderungen|Offener Beitrag|Rückstand|Beitragsrückstand|Ausstehend|Montant dû|Solde dû|Reste à payer|Impayé|Importe pendiente|Saldo pendiente|Pendiente de pago|Deuda|Borç|Kalan Borç|Ödenmemiş Tutar|Openstaand|Openstaand bedrag|Importo dovuto|Da pagare|Valor em dívida`,
  OTHER: `ID|Record ID|Contact ID|Lead ID|User ID|Account ID|Salutation|Anrede|Briefanrede|Civilité|Akad. Titel|Akademischer Titel|Tratamiento|Hitap|Aanhef|Título de cortesia|Name Prefix|Prefix|Honorific|Courtesy Title|Nickname|Spitzname|Surnom|Apodo|File As|Speichern unter|Initials|Initialen|Initiales|Iniciales|
    Short Name|Maiden Name|Geburtsname|Nom de naissance|Nom de jeune fille|Gender|Sex|Geschlecht|Sexe|Sexo|Cinsiyet|Geslacht|Language|Sprache|Langue|Idioma|Dil|Photo|Picture|Foto|Sensitivity|Vertraulichkeit|Priority|Priorität|Private|Mileage|Reisekilometer|Directory Server|Billing Information|Subject|Hobby|Location|Office Location|
    Yomi Name|Given Name Yomi|Additional Name Yomi|Family Name Yomi|Given Yomi|Surname Yomi|Company Yomi|Phonetic First Name|Phonetic Middle Name|Phonetic Last Name|E-mail Type|E-mail Display Name|E-Mail-Typ|E-Mail: Angezeigter Name|Type de messagerie|Tipo de correo electrónico|Nombre de pantalla de correo electrónico|Nom complet de l'adresse de messagerie|
    Government ID Number|Organizational ID Number|Internet Free Busy|Referred By|Spouse|Children|Kinder|Anniversary|Jahrestag|Anniversaire de mariage ou fête|Manager's Name|Assistant's Name|Account Balance Date|Contact owner|Owner|Department|Abteilung|Service|Departamento|Organization Department|
    MEMBER_RATING|OPTIN_TIME|OPTIN_IP|CONFIRM_TIME|CONFIRM_IP|GMTOFF|DSTOFF|TIMEZONE|LAST_CHANGED|LEID|EUID|LATITUDE|LONGITUDE|Lead Status|Lead Source|Lifecycle Stage|Marketing contact status|Create Date|Created Date|Last Activity Date|Last Modified Date|Last Activity|Status|Membership Status|Member Status|Mitgliedsstatus|Statut|Estado civil|Password|IBAN|BIC|Kontoinhaber|SWIFT|Mandatsreferenz|Honorific title|Website Member ID|Name Title|ID du Contact|Benutzer-Id|Zivilstand|Nationalität|Industry|Rating|Record Type|Age|Alter|Nicknames|Company ID|Associated Company IDs|Lead Owner|Account Owner`,
};

const meanings = new Map<string, Meaning>();
for (const [meaning, names] of Object.entries(table))
  for (const name of names.split('|')) meanings.set(headerKey(name), meanings.get(headerKey(name)) ?? (meaning as Meaning));

/** A name as the table has it: its words, in one case, in the singular, compounds of German taken apart. */
export function headerKey(name: string): string {
  return foldWords(
    name
      .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
      .replace(/(\p{Lu})(\p{Lu}\p{Ll}{2})/gu, '$1 $2')
      .replace(/#(?!\d)/g, ' number ')
      .replace(/(\p{L})(\d)/gu, '$1 $2'),
  )
    .replace(/\be (?=mail|post)/g, 'e')
    .replace(/\b(privat|geschaft|dienst|firmen|buro)s?(?=telefon|handy|mobil|fax|email|mail|adresse|strasse|nummer)/g, '$1 ')
    .replace(/(?<=\w{3}[^s ])s\b/g, '');
}

/** Words that tell which of several a column is. */
const labels = new Map<string, string>();
for (const [label, words] of Object.entries({
  Mobile: 'mobile mobil cell cellular handy portable movil celular cep gsm mobiel cellulare telemovel',
  Home: 'home private privat priv prive personal perso personnel personnelle domicile casa particular residencia ev thuis privato privata residential hausanschrift pessoal ozel',
  Work: `work business office company employer dienstlich geschaftlich geschaeftlich gesch geschaft dienst firmen beruflich buro buero firma professionnel professionnelle pro bureau trabajo oficina empresa societe
    is werk zakelijk lavoro ufficio trabalho corporate`,
  Other:
    'other weitere weiterer weiteres weiteren sonstige sonstiges andere anderes autre otro otra otros diger altro altra alternate alternative alternativ secondary additional zweite zusatzliche secondaire secundario car voiture callback radio telex isdn tty tdd',
  Billing: 'billing rechnung rechnungsadresse facturation facturacion fatura',
  Shipping: 'shipping delivery lieferung lieferadresse livraison envio teslimat',
  Fax: 'fax telefax telecopie faks',
}))
  for (const word of words.split(/\s+/)) labels.set(headerKey(word), label);

/** Words that change nothing: small ones, more of them, and those that are in names of their own too. */
const small = new Set('of for de del della du des d da do der die das la le el l e and s est utc'.split(' '));
const noise = new Set([
  ...small,
  ...`contact kontakt contacto member mitglied mitglieder membre adherent socio uye lid lead person personne persona the your my main primary preferred default principal
  principale primar primare haupt mailing physical current value merge field champ complementaire`
    .split(/\s+/)
    .map(headerKey),
]);
const places = new Set([
  ...noise,
  ...'address adresse direccion adres anschrift postanschrift postal postale correspondencia correspondance'.split(' ').map(headerKey),
]);
/** What a column can still be for without a word for address; a company’s address is no company. */
const besidePlaces = new Set<string>(
  'STREET CITY REGION POSTAL_CODE POSTAL_CODE_AND_CITY COUNTRY FULL_ADDRESS ADDRESS EMAIL WEBSITE PHONE PHONE_MOBILE PHONE_FAX NOTE OTHER'.split(' '),
);

/** Columns that are about somebody or something else. */
const ofOthers =
  /\b(?:emergency|notfall\w*|urgence|emergencia|acil|parent|guardian|mother|father|mutter|vater|eltern\w*|mere|pere|tuteur|madre|padre|anne|baba|spouse|partner|assistant|assistent|asistente|asistan|manager|vorgesetzten?|owner|payeur|payer|asst|creator|created|modified|updated|by|sponsor|referr\w*|invoice|ip|type|typ|tipo|display|angezeigter|pantalla|opt|optin|consent|verified|bounced?|unsubscribed?|count|statu\w*)\b/;

export interface RecognizedHeader {
  meaning: Meaning;
  /** As in “Birthday (DD/MM/YYYY)”. */
  dateOrder?: DateOrder;
  label: string | null;
  ordinal: number | null;
  currency: string | null;
  confidence: number;
}

/** What Google's contacts write: `E-mail 1 - Value`, `Address 2 - Street`, `Phone 1 - Label`. */
const google = /^(e-?mail|phone|address|website|organization|im|relation|event|custom field|external id|jot) (\d+) - (.+)$/i;
const googleParts: Record<string, Meaning> = {
  'email value': 'EMAIL',
  'email label': 'EMAIL_LABEL',
  'email type': 'EMAIL_LABEL',
  'phone value': 'PHONE',
  'phone label': 'PHONE_LABEL',
  'phone type': 'PHONE_LABEL',
  'website value': 'WEBSITE',
  'website label': 'WEBSITE_LABEL',
  'website type': 'WEBSITE_LABEL',
  'address label': 'ADDRESS_LABEL',
  'address type': 'ADDRESS_LABEL',
  'address formatted': 'FULL_ADDRESS',
  'address street': 'STREET',
  'address city': 'CITY',
  'address po box': 'STREET',
  'address region': 'REGION',
  'address postal code': 'POSTAL_CODE',
  'address country': 'COUNTRY',
  'address extended address': 'STREET',
  'organization name': 'COMPANY',
  'organization title': 'JOB_TITLE',
};
const googleMeanings = new Map(Object.entries(googleParts));

/** Orders of dates as headers spell them, in the languages of the table. */
const spelledOrders: [RegExp, DateOrder][] = [
  [/[([]?\b(?:dd?|tt?|jj?|gg?)[./-](?:mm?|aa?)[./-](?:yy(?:yy)?|jj(?:jj)?|aa(?:aa)?)\b[)\]]?/i, 'DMY'],
  [/[([]?\bmm?[./-]dd?[./-]yy(?:yy)?\b[)\]]?/i, 'MDY'],
  [/[([]?\b(?:yyyy|jjjj|aaaa)[./-](?:mm|aa)[./-](?:dd|tt|jj|gg)\b[)\]]?/i, 'YMD'],
];

/** What a header means, or null where it is unknown. */
export function recognizeHeader(name: string): RecognizedHeader | null {
  if (name.length > 200) return null;
  const spelled = spelledOrders.find(([form]) => form.test(name));
  if (!spelled) return recognizeName(name);
  const found = recognizeName(name.replace(spelled[0], ' '));
  return found && { ...found, dateOrder: spelled[1] };
}

function recognizeName(name: string): RecognizedHeader | null {
  const one = google.exec(name.trim());
  if (one) {
    const meaning = googleMeanings.get(`${one[1]!.toLowerCase().replace('-', '')} ${one[3]!.toLowerCase()}`);
    return { meaning: meaning ?? 'OTHER', label: null, ordinal: Number(one[2]), currency: null, confidence: 1 };
  }
  const code = /\(([A-Z]{3})\)|\b([A-Z]{3})$|([€£₺])/.exec(name);
  const written = code?.[3] ? { '€': 'EUR', '£': 'GBP', '₺': 'TRY' }[code[3]]! : (code?.[1] ?? code?.[2] ?? '');
  // Other words can have three capital letters too: ZIP, FAX, DOB.
  const currency = isCurrency(written) ? written : null;
  const key = headerKey(name);
  const plain = meanings.get(key);
  if (plain) return { ...meaningOf(plain), ordinal: null, currency, confidence: 1 };
  const words = key.split(' ');
  // In brackets they may be anything, as the time zone in “Create Date (CET)”.
  const stripped = strip(words, currency) ?? (code?.[1] ? strip(words, code[1]) : null);
  return stripped && { ...stripped, currency, confidence: 0.9 };
}

const meaningOf = (meaning: Meaning): { meaning: Meaning; label: string | null } =>
  meaning === 'PHONE_MOBILE' ? { meaning: 'PHONE', label: 'Mobile' } : meaning === 'PHONE_FAX' ? { meaning: 'PHONE', label: 'Fax' } : { meaning, label: null };

/** Takes off numbers, labels and noise until the rest is known. */
function strip(words: string[], code: string | null): Pick<RecognizedHeader, 'meaning' | 'label' | 'ordinal'> | null {
  if (words.length > 8) return null;
  let ordinal: number | null = null;
  const rest = words.filter((word) => {
    const number = /^(?:no|nr)?([1-9])(?:st|nd|rd|th)?$/.exec(word);
    if (number) ordinal = Number(number[1]);
    return !number && word !== code?.toLowerCase();
  });
  if (ofOthers.test(rest.join(' '))) return null;
  const kindOf = (word: string) => labels.get(word) === 'Mobile' || labels.get(word) === 'Fax';
  const unplaced = rest.filter((word) => !labels.has(word) || kindOf(word));
  const meaning = find(rest) ?? find(unplaced) ?? find(unplaced.filter((word) => !kindOf(word)));
  if (!meaning) return null;
  const given = find(rest, [new Set()]) ? [] : rest.flatMap((word) => labels.get(word) ?? []);
  const known = meaningOf(meaning);
  const place = given.find((label) => label !== 'Mobile' && label !== 'Fax');
  const kind = known.label ?? given.find((label) => label === 'Mobile' || label === 'Fax');
  return { meaning: known.meaning, label: kind === 'Fax' && place ? `${place} fax` : (kind ?? place ?? null), ordinal };
}

/** What the words mean, with as few of them left out as it takes. */
function find(words: string[], leftOut = [new Set<string>(), small, noise, places]): Meaning | undefined {
  for (const without of leftOut) {
    const meaning = meanings.get(words.filter((word) => !without.has(word)).join(' '));
    if (meaning && (without !== places || besidePlaces.has(meaning))) return meaning;
  }
  // “Postal Address Postal Code”, “Code postal (adresse postale)”.
  if (leftOut.length === 1 || words.length === 1) return undefined;
  return findWithout(words[0]!, words.slice(1)) ?? findWithout(words.at(-1)!, words.slice(0, -1));
}

function findWithout(word: string, words: string[]): Meaning | undefined {
  const meaning = places.has(word) ? find(words) : undefined;
  return meaning && (noise.has(word) || besidePlaces.has(meaning)) ? meaning : undefined;
}

/** True where a column must not be recognized by its values, because its header says whose they are. */
export const isOfOthers = (header: string): boolean => ofOthers.test(headerKey(header));

export const toTarget = ({ label, ordinal, currency }: RecognizedHeader, field: TargetField): ColumnTarget => ({
  field,
  ...(label && labelled.has(field) && { label }),
  ...(ordinal && { ordinal }),
  ...(currency && (field === 'OPENING_BALANCE' || field === 'AMOUNT_DUE') && { currency }),
});
const labelled = new Set<TargetField>([
  'EMAIL',
  'FURTHER_EMAIL',
  'PHONE',
  'WEBSITE',
  'STREET',
  'CITY',
  'REGION',
  'POSTAL_CODE',
  'POSTAL_CODE_AND_CITY',
  'COUNTRY',
  'FULL_ADDRESS',
]);
